//! A small persistent pool of threads. Without the `std` feature the type exists but has no values, except in
//! WebAssembly with atomics, where web workers are its threads.

#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub use super::workers::Pool;
#[cfg(all(feature = "std", not(all(target_arch = "wasm32", target_feature = "atomics"))))]
pub use with_std::Pool;

/// A pool of threads; it takes the `std` feature to make one.
#[cfg(not(any(feature = "std", all(target_arch = "wasm32", target_feature = "atomics"))))]
pub enum Pool {}

#[cfg(not(any(feature = "std", all(target_arch = "wasm32", target_feature = "atomics"))))]
impl Pool {
    /// How many threads run tasks, the caller included.
    pub fn threads(&self) -> usize {
        match *self {}
    }

    /// Calls `f(0)`, …, `f(tasks - 1)`, each once.
    pub fn run(&self, _tasks: usize, _f: &(dyn Fn(usize) + Sync)) {
        match *self {}
    }
}

#[cfg(all(feature = "std", not(all(target_arch = "wasm32", target_feature = "atomics"))))]
mod with_std {
    use crate::kernel::vector;
    use core::any::Any;
    use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
    use std::thread::{self, JoinHandle};
    use std::vec::Vec;

    /// Rounds of a busy wait before a thread goes to sleep.
    const SPINS: usize = 4000;

    /// Threads that wait for work, and the protocol to hand it out.
    ///
    /// One job runs at a time. A job started while another runs (from a task, or from another thread) is run by its
    /// caller alone, so nesting and concurrent use cannot deadlock. Tasks run with the floating-point control word of
    /// the caller. Neither starting nor finishing a job allocates.
    pub struct Pool {
        shared: Arc<Shared>,
        workers: Vec<JoinHandle<()>>,
    }

    struct Shared {
        /// A job is running; who sets it owns the rest.
        busy: AtomicBool,
        /// Counts jobs, for the busy wait; changed under `state`.
        epoch: AtomicUsize,
        /// Workers inside the job; changed under `state`.
        inside: AtomicUsize,
        /// Workers that wait for jobs.
        serving: AtomicUsize,
        state: Mutex<State>,
        start: Condvar,
        done: Condvar,
    }

    struct State {
        job: Option<JobRef>,
        stop: bool,
    }

    #[derive(Copy, Clone)]
    struct JobRef(*const Job<'static>);
    // SAFETY: a `Job` is shared by its fields' types, and `Pool::run` keeps it alive until every worker has left it.
    unsafe impl Send for JobRef {}

    struct Job<'a> {
        f: &'a (dyn Fn(usize) + Sync),
        tasks: usize,
        next: AtomicUsize,
        control: u32,
        panic: Mutex<Option<Box<dyn Any + Send>>>,
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Job<'_> {
        fn work(&self) {
            loop {
                let task = self.next.fetch_add(1, Ordering::Relaxed);
                if task >= self.tasks {
                    return;
                }
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.f)(task))) {
                    self.next.store(self.tasks, Ordering::Relaxed);
                    lock(&self.panic).get_or_insert(payload);
                }
            }
        }
    }

    impl Shared {
        fn serve(&self) {
            let mut seen = 0;
            loop {
                for _ in 0..SPINS {
                    if self.epoch.load(Ordering::Acquire) != seen {
                        break;
                    }
                    core::hint::spin_loop();
                }
                let mut state = lock(&self.state);
                while self.epoch.load(Ordering::Relaxed) == seen && !state.stop {
                    state = self.start.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.stop {
                    return;
                }
                seen = self.epoch.load(Ordering::Relaxed);
                let Some(JobRef(job)) = state.job else { continue };
                self.inside.fetch_add(1, Ordering::Relaxed);
                drop(state);
                // SAFETY: the job was published under `state` and `inside` was raised before it was released;
                // `Pool::run` withdraws the job and then waits for `inside` to fall to zero before it drops it.
                let job = unsafe { &*job };
                let saved = vector::control_word();
                vector::set_control_word(job.control);
                job.work();
                vector::set_control_word(saved);
                let _state = lock(&self.state);
                if self.inside.fetch_sub(1, Ordering::Release) == 1 {
                    self.done.notify_one();
                }
            }
        }
    }

    impl Pool {
        /// A pool in which `threads` threads run tasks, the caller of [`Pool::run`] being one of them. Has fewer
        /// where the platform cannot start them; 0 counts as 1.
        pub fn new(threads: usize) -> Pool {
            let shared = Arc::new(Shared {
                busy: AtomicBool::new(false),
                epoch: AtomicUsize::new(0),
                inside: AtomicUsize::new(0),
                serving: AtomicUsize::new(0),
                state: Mutex::new(State { job: None, stop: false }),
                start: Condvar::new(),
                done: Condvar::new(),
            });
            let mut workers = Vec::new();
            for _ in 1..threads.max(1) {
                let own = shared.clone();
                match thread::Builder::new().spawn(move || own.serve()) {
                    Ok(worker) => workers.push(worker),
                    Err(_) => break,
                }
            }
            shared.serving.fetch_add(workers.len(), Ordering::Relaxed);
            Pool { shared, workers }
        }

        /// How many threads run tasks, the caller included.
        pub fn threads(&self) -> usize {
            1 + self.shared.serving.load(Ordering::Relaxed)
        }

        /// Makes the calling thread a worker until [`Pool::stop`]: for platforms where threads are started from
        /// outside, such as web workers.
        pub fn serve(&self) {
            self.shared.serving.fetch_add(1, Ordering::Relaxed);
            self.shared.serve();
            self.shared.serving.fetch_sub(1, Ordering::Relaxed);
        }

        /// Sends the workers home. Later jobs run on their callers alone.
        pub fn stop(&self) {
            lock(&self.shared.state).stop = true;
            self.shared.start.notify_all();
        }

        /// Calls `f(0)`, …, `f(tasks - 1)`, each once, on any thread and in any order, and returns when all are done.
        ///
        /// # Panics
        /// With the panic of a task, after the running tasks have ended; tasks not yet begun are dropped.
        pub fn run(&self, tasks: usize, f: &(dyn Fn(usize) + Sync)) {
            let shared = &*self.shared;
            let alone = tasks <= 1 || self.threads() == 1;
            if alone || shared.busy.swap(true, Ordering::Acquire) {
                (0..tasks).for_each(f);
                return;
            }
            let job = Job {
                f,
                tasks,
                next: AtomicUsize::new(0),
                control: vector::control_word(),
                panic: Mutex::new(None),
            };
            lock(&shared.state).job = Some(JobRef((&raw const job).cast()));
            shared.epoch.fetch_add(1, Ordering::Release);
            {
                // A worker checks the epoch under the lock before it sleeps, so none misses the wake-up.
                let _state = lock(&shared.state);
                shared.start.notify_all();
            }
            job.work();
            lock(&shared.state).job = None;
            for _ in 0..SPINS {
                if shared.inside.load(Ordering::Acquire) == 0 {
                    break;
                }
                core::hint::spin_loop();
            }
            let mut state = lock(&shared.state);
            while shared.inside.load(Ordering::Acquire) != 0 {
                state = shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            shared.busy.store(false, Ordering::Release);
            let payload = lock(&job.panic).take();
            if let Some(payload) = payload {
                resume_unwind(payload);
            }
        }
    }

    impl Drop for Pool {
        fn drop(&mut self) {
            self.stop();
            for worker in self.workers.drain(..) {
                // A worker catches the panics of its tasks, so joining it cannot fail.
                let _ = worker.join();
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn every_task_runs_once_even_nested_and_from_several_threads() {
        let pool = Pool::new(3);
        assert_eq!(pool.threads(), 3);
        let count = [const { AtomicUsize::new(0) }; 50];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(50, &|i| {
                            pool.run(2, &|_| {
                                count[i].fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert!(count.iter().all(|c| c.load(Ordering::Relaxed) == 4 * 200 * 2));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = Pool::new(2);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(8, &|i| assert!(i != 5, "task five"));
            }));
            assert!(result.is_err());
        }
        let sum = AtomicUsize::new(0);
        pool.run(10, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.load(Ordering::Relaxed), 45);
    }

    #[test]
    fn tasks_run_with_the_control_word_of_the_caller() {
        let pool = Pool::new(3);
        let _guard = crate::kernel::flush_denormals();
        let word = crate::kernel::vector::control_word();
        pool.run(64, &|_| assert_eq!(crate::kernel::vector::control_word(), word));
    }

    #[test]
    fn an_outside_thread_can_serve() {
        let pool = Pool::new(1);
        std::thread::scope(|scope| {
            scope.spawn(|| pool.serve());
            while pool.threads() < 2 {
                std::thread::yield_now();
            }
            let sum = AtomicUsize::new(0);
            pool.run(100, &|i| {
                sum.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 4950);
            pool.stop();
        });
    }
}
