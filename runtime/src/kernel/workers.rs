//! A pool whose threads are started from outside, such as web workers, and whose caller never sleeps: the main thread
//! of a page may not.
//!
//! Workers that find no work for a while sleep until the next job. A job is handed out without a lock: the caller
//! publishes it and raises `epoch`; a worker raises `inside` before it looks at the job, and the caller withdraws the
//! job before it waits for `inside` to fall to zero. Both in one total order, so that a worker either finds nothing or is
//! waited for.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};

/// Looks at `epoch` before a worker goes to sleep, some tenths of a millisecond: a web worker that sleeps takes longer to
/// wake than most steps take.
const SPINS: usize = 1 << 17;

/// Threads that wait for work, and the protocol to hand it out.
///
/// One job runs at a time. A job started while another runs (from a task, or from another thread) is run by its caller
/// alone, so nesting and concurrent use cannot deadlock. Neither starting nor finishing a job allocates.
pub struct Pool {
    /// A job is running; who sets it owns the rest.
    busy: AtomicBool,
    /// Counts jobs; workers sleep on it.
    epoch: AtomicU32,
    /// The job, null between jobs.
    job: AtomicPtr<Job<'static>>,
    /// Workers that may be looking at the job.
    inside: AtomicUsize,
    /// Workers that sleep or are about to.
    sleeping: AtomicUsize,
    /// Workers.
    serving: AtomicUsize,
    stop: AtomicBool,
}

struct Job<'a> {
    f: &'a (dyn Fn(usize) + Sync),
    tasks: usize,
    next: AtomicUsize,
}

impl Job<'_> {
    fn work(&self) {
        loop {
            let task = self.next.fetch_add(1, SeqCst);
            if task >= self.tasks {
                return;
            }
            (self.f)(task);
        }
    }
}

/// Leaves a job also when a task panics, where a panic can be caught.
struct Running<'p>(&'p Pool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let pool = self.0;
        pool.job.store(null_mut(), SeqCst);
        while pool.inside.load(SeqCst) != 0 {
            core::hint::spin_loop();
        }
        pool.busy.store(false, SeqCst);
    }
}

impl Pool {
    /// A pool without threads of its own: those that [`serve`](Pool::serve) are its workers. It can start none, so
    /// their number is not used.
    pub const fn new(_threads: usize) -> Pool {
        Pool {
            busy: AtomicBool::new(false),
            epoch: AtomicU32::new(0),
            job: AtomicPtr::new(null_mut()),
            inside: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            serving: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// How many threads run tasks, the caller included.
    pub fn threads(&self) -> usize {
        1 + self.serving.load(SeqCst)
    }

    /// Makes the calling thread a worker until [`Pool::stop`].
    pub fn serve(&self) {
        self.serving.fetch_add(1, SeqCst);
        let mut seen = 0;
        while !self.stop.load(SeqCst) {
            seen = self.next_epoch(seen);
            self.inside.fetch_add(1, SeqCst);
            let job = self.job.load(SeqCst);
            if !job.is_null() {
                // SAFETY: `inside` was raised before the job was seen, so `run` has not withdrawn it yet or waits for
                // `inside` to fall to zero; until then the job lives.
                unsafe { (*job).work() };
            }
            self.inside.fetch_sub(1, SeqCst);
        }
        self.serving.fetch_sub(1, SeqCst);
    }

    /// Waits until there was a job after the one numbered `seen`.
    fn next_epoch(&self, seen: u32) -> u32 {
        for _ in 0..SPINS {
            let epoch = self.epoch.load(SeqCst);
            if epoch != seen {
                return epoch;
            }
            core::hint::spin_loop();
        }
        self.sleeping.fetch_add(1, SeqCst);
        let mut epoch = self.epoch.load(SeqCst);
        while epoch == seen {
            sleep::wait(&self.epoch, seen);
            epoch = self.epoch.load(SeqCst);
        }
        self.sleeping.fetch_sub(1, SeqCst);
        epoch
    }

    /// Sends the workers home. Later jobs run on their callers alone.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        self.epoch.fetch_add(1, SeqCst);
        if self.sleeping.load(SeqCst) > 0 {
            sleep::wake(&self.epoch);
        }
    }

    /// Calls `f(0)`, …, `f(tasks - 1)`, each once, on any thread and in any order, and returns when all are done.
    pub fn run(&self, tasks: usize, f: &(dyn Fn(usize) + Sync)) {
        let alone = tasks <= 1 || self.threads() == 1;
        if alone || self.busy.swap(true, SeqCst) {
            (0..tasks).for_each(f);
            return;
        }
        let job = Job { f, tasks, next: AtomicUsize::new(0) };
        let running = Running(self);
        self.job.store((&raw const job).cast::<Job<'static>>().cast_mut(), SeqCst);
        self.wake();
        job.work();
        drop(running);
    }
}

/// Sleeping until a word changes.
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
mod sleep {
    use core::arch::wasm32::{memory_atomic_notify, memory_atomic_wait32};
    use core::sync::atomic::AtomicU32;

    /// Sleeps while the word is `value`, until [`wake`]; may also return sooner.
    pub fn wait(word: &AtomicU32, value: u32) {
        // SAFETY: the word is aligned and alive.
        unsafe { memory_atomic_wait32(word.as_ptr().cast(), value as i32, -1) };
    }

    /// Wakes all that sleep on the word.
    pub fn wake(word: &AtomicU32) {
        // SAFETY: the word is aligned and alive.
        unsafe { memory_atomic_notify(word.as_ptr().cast(), u32::MAX) };
    }
}

/// The same natively, for the tests of the protocol.
#[cfg(not(all(target_arch = "wasm32", target_feature = "atomics")))]
mod sleep {
    use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::sync::{Condvar, Mutex, PoisonError};

    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    pub fn wait(word: &AtomicU32, value: u32) {
        let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if word.load(SeqCst) == value {
            drop(CHANGED.wait(guard));
        }
    }

    pub fn wake(_word: &AtomicU32) {
        drop(LOCK.lock());
        CHANGED.notify_all();
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// Runs `body` beside workers.
    fn with_workers(workers: usize, body: impl FnOnce(&Pool)) {
        let pool = Pool::new(1);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| pool.serve());
            }
            while pool.threads() <= workers {
                std::thread::yield_now();
            }
            body(&pool);
            pool.stop();
        });
        assert_eq!(pool.threads(), 1);
    }

    #[test]
    fn every_task_runs_once_even_nested_and_from_several_threads() {
        with_workers(2, |pool| {
            let count = [const { AtomicUsize::new(0) }; 50];
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            pool.run(50, &|i| {
                                pool.run(2, &|_| {
                                    count[i].fetch_add(1, SeqCst);
                                });
                            });
                        }
                    });
                }
            });
            assert!(count.iter().all(|c| c.load(SeqCst) == 3 * 200 * 2));
        });
    }

    #[test]
    fn workers_that_sleep_are_woken_and_share_the_work() {
        with_workers(1, |pool| {
            for _ in 0..5 {
                while pool.sleeping.load(SeqCst) == 0 {
                    std::thread::yield_now();
                }
                // Each of the two tasks waits for the other, so one thread alone would not end.
                let begun = AtomicUsize::new(0);
                pool.run(2, &|_| {
                    begun.fetch_add(1, SeqCst);
                    while begun.load(SeqCst) < 2 {
                        std::thread::yield_now();
                    }
                });
            }
        });
    }

    #[test]
    fn without_workers_the_caller_does_all() {
        let pool = Pool::new(4);
        let sum = AtomicUsize::new(0);
        pool.run(10, &|i| {
            sum.fetch_add(i, SeqCst);
        });
        assert_eq!((sum.load(SeqCst), pool.threads()), (45, 1));
    }
}
