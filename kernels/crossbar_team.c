/* Threads that stand by. See crossbar_team.h. */

#include "crossbar_team.h"

#if defined(_WIN32)

void cim_share(cim_task *task, void *job, ptrdiff_t parts, ptrdiff_t threads, cim_desk *own)
{
    (void)threads;
    for (ptrdiff_t index = 0; index < parts; index++)
        task(job, index, own);
}

void cim_lock(void) {}
void cim_unlock(void) {}

#else

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define MOST_HELPERS 255
#define PLACE (MOST_HELPERS + 1u)   /* in `state`; a job that lets a helper join has places */
#define LOOK_OUT_NS 100000          /* before a thread sleeps: a few times what it takes to wake one */
#define LOOKS 32                    /* between two looks at the clock */

static pthread_mutex_t calling = PTHREAD_MUTEX_INITIALIZER; /* held by the thread whose job it is */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;  /* cim_lock */
static pthread_mutex_t sleeping = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER, ended = PTHREAD_COND_INITIALIZER;

static ptrdiff_t helpers;
static atomic_uint jobs;             /* that have begun, modulo 2^32 */
static atomic_uint state;            /* places of the job that is on, times PLACE, and helpers at work */
static atomic_int helpers_asleep, caller_asleep;

/* The job that is on: written before there are places, and read by those who have one. */
static struct {
    cim_task *task;
    void *job;
    ptrdiff_t parts;
} the_job;
static atomic_ptrdiff_t next_part;

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Wait until a number is (`equals`), or no longer is, what it was: look out for it, then sleep. */
static void wait_for(atomic_uint *number, unsigned it_was, int equals, atomic_int *asleep, pthread_cond_t *woken)
{
    const int64_t end = now() + LOOK_OUT_NS;
    do {
        for (int look = 0; look < LOOKS; look++) {
            if ((atomic_load(number) == it_was) == equals)
                return;
            relax();
        }
    } while (now() < end);
    pthread_mutex_lock(&sleeping);
    atomic_fetch_add(asleep, 1); /* before the number is read: who changes it reads this afterwards */
    while ((atomic_load(number) == it_was) != equals)
        pthread_cond_wait(woken, &sleeping);
    atomic_fetch_sub(asleep, 1);
    pthread_mutex_unlock(&sleeping);
}

static void wake(atomic_int *asleep, pthread_cond_t *woken)
{
    if (atomic_load(asleep)) {
        pthread_mutex_lock(&sleeping); /* who is about to sleep does, and hears what follows */
        pthread_mutex_unlock(&sleeping);
        pthread_cond_broadcast(woken);
    }
}

static void do_parts(cim_desk *desk)
{
    for (ptrdiff_t index; (index = atomic_fetch_add(&next_part, 1)) < the_job.parts;)
        the_job.task(the_job.job, index, desk);
}

/* Take a place, if there is one. */
static int joins(void)
{
    unsigned seen = atomic_load(&state);
    while (seen >= PLACE)
        if (atomic_compare_exchange_weak(&state, &seen, seen - PLACE + 1))
            return 1;
    return 0;
}

static void *help(void *jobs_begun)
{
    cim_desk desk = {0};
    for (unsigned seen = (unsigned)(uintptr_t)jobs_begun;; seen = atomic_load(&jobs)) {
        if (joins()) {
            do_parts(&desk);
            if (atomic_fetch_sub(&state, 1) == 1) /* the last one, and nobody joins any more */
                wake(&caller_asleep, &ended);
        }
        wait_for(&jobs, seen, 0, &helpers_asleep, &begun);
    }
    return NULL;
}

/* A forked child has none of its parent's threads. */
static void forget(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    calling = adding = sleeping = mutex;
    begun = ended = condition;
    helpers = 0;
    atomic_store(&state, 0), atomic_store(&helpers_asleep, 0), atomic_store(&caller_asleep, 0);
}

/* Have so many helpers, or as many as can be started. */
static void start(ptrdiff_t wanted)
{
    static int told;
    sigset_t all, before;
    pthread_attr_t detached;
    if (helpers >= wanted || pthread_attr_init(&detached))
        return;
    if (!told)
        told = !pthread_atfork(NULL, NULL, forget);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are for the interpreter's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t thread; helpers < wanted; helpers++)
        if (pthread_create(&thread, &detached, help, (void *)(uintptr_t)atomic_load(&jobs)))
            break;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

void cim_share(cim_task *task, void *job, ptrdiff_t parts, ptrdiff_t threads, cim_desk *own)
{
    ptrdiff_t wanted = (threads < parts ? threads : parts) - 1;
    wanted = wanted < MOST_HELPERS ? wanted : MOST_HELPERS;
    if (wanted < 1 || pthread_mutex_trylock(&calling)) {
        for (ptrdiff_t index = 0; index < parts; index++)
            task(job, index, own);
        return;
    }
    start(wanted);
    the_job.task = task, the_job.job = job, the_job.parts = parts;
    atomic_store(&next_part, 0);
    atomic_store(&state, (unsigned)wanted * PLACE);
    atomic_fetch_add(&jobs, 1);
    wake(&helpers_asleep, &begun);
    do_parts(own);
    if (atomic_fetch_and(&state, PLACE - 1) % PLACE) /* from here on nobody joins */
        wait_for(&state, 0, 1, &caller_asleep, &ended);
    pthread_mutex_unlock(&calling);
}

void cim_lock(void) { pthread_mutex_lock(&adding); }
void cim_unlock(void) { pthread_mutex_unlock(&adding); }

#endif
