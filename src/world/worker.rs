//! Worker: a helper thread that does one job after the other, and the two queues between.
//!
//! ```text
//!  reactor ── give ─▶ [jobs] ─▶ work ─▶ [answers] ── take ─▶ reactor
//!                              thread ── wake ──────────────▶ poll
//! ```
//! Some calls cannot be bounded, and no poll can wait for them (see `world/mod.rs`). Whoever needs
//! one has a worker, which owns each job and answers with all of it: nothing is shared but queues.
//!
//! # Interface
//! `start` when the first job comes; `give`; when woken, `take` until there is no more. Dropped, it
//! ends after the job that it has; one that hangs holds up nobody.
//!
//! # Limits
//! None here: who gives jobs counts them.
//!
//! # Why
//! The channels of the standard library are three kinds in one, made anew for each type: 5 KiB of
//! program for each of eight. A lock around a list is a tenth of that, and quick enough for what
//! takes milliseconds.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What is called, on the thread, when there is something to take.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A thread that does jobs, as the reactor sees it.
pub struct Worker<Job, Done> {
    jobs: Arc<Queue<Job>>,
    answers: Arc<Queue<Done>>,
}

/// A list with a thread at either end.
struct Queue<T> {
    list: Mutex<List<T>>,
    /// Something came, or nothing will any more.
    came: Condvar,
}

struct List<T> {
    items: VecDeque<T>,
    is_closed: bool,
}

impl<Job: Send + 'static, Done: Send + 'static> Worker<Job, Done> {
    /// Starts a thread that does `work` for each job, and calls `wake` after each answer; jobs
    /// without one are nobody's business any more. `None`: the host has no room for a thread.
    ///
    /// `name`: for whoever lists threads. (The standard library gives names, too, but prints a path
    /// for it with the machinery of C, 11 KiB in a static program.)
    /// `stack_bytes`: the default of 2 MiB would count against `ulimit -v`.
    pub fn start(
        name: &'static CStr,
        stack_bytes: usize,
        wake: Wake,
        mut work: impl FnMut(Job) -> Option<Done> + Send + 'static,
    ) -> Option<Worker<Job, Done>> {
        let (jobs, answers) = (Arc::new(Queue::new()), Arc::new(Queue::new()));
        let (to_do, done) = (Arc::clone(&jobs), Arc::clone(&answers));
        let serve = move || {
            // Without it the thread has the program's name, which is no worse.
            let _ = rustix::thread::set_name(name);
            while let Some(job) = to_do.wait(None) {
                if let Some(answer) = work(job) {
                    done.put(answer);
                    wake();
                }
            }
        };
        // In a box, so that what starts a thread is made once, not for each kind of worker.
        let serve: Box<dyn FnOnce() + Send> = Box::new(serve);
        let thread = thread::Builder::new().stack_size(stack_bytes).spawn(serve);
        thread.is_ok().then_some(Worker { jobs, answers })
    }

    /// Gives it one more job.
    pub fn give(&self, job: Job) {
        self.jobs.put(job);
    }

    /// The next answer, if there is one.
    pub fn take(&self) -> Option<Done> {
        self.answers.lock().items.pop_front()
    }

    /// The next answer; `None` if none comes within `at_most`.
    pub fn wait(&self, at_most: Duration) -> Option<Done> {
        self.answers.wait(Some(at_most))
    }
}

impl<Job, Done> Drop for Worker<Job, Done> {
    fn drop(&mut self) {
        self.jobs.lock().is_closed = true;
        self.jobs.came.notify_one();
    }
}

impl<Job, Done> fmt::Debug for Worker<Job, Done> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

impl<T> Queue<T> {
    fn new() -> Queue<T> {
        let list = List { items: VecDeque::new(), is_closed: false };
        Queue { list: Mutex::new(list), came: Condvar::new() }
    }

    /// The list. A thread that panicked while it held the list has left it whole: nobody calls
    /// anything meanwhile that could.
    fn lock(&self) -> MutexGuard<'_, List<T>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, item: T) {
        self.lock().items.push_back(item);
        self.came.notify_one();
    }

    /// Takes the next item, for which it waits; `None`: it is closed, or the time is over.
    fn wait(&self, at_most: Option<Duration>) -> Option<T> {
        let must_wait = |list: &mut List<T>| list.items.is_empty() && !list.is_closed;
        let list = self.lock();
        let mut list = match at_most {
            None => self.came.wait_while(list, must_wait).unwrap_or_else(PoisonError::into_inner),
            Some(at_most) => {
                let waited = self.came.wait_timeout_while(list, at_most, must_wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if list.is_closed { None } else { list.items.pop_front() }
    }
}
