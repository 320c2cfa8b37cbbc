/* Parts of a job, done by the calling thread and by threads that stand by.

   These are C's own: they need no lock of the interpreter, and for a moment they look out for the next job before they
   sleep, as the caller does for their end; to wake a thread takes as long as a small layer's product. */

#ifndef CIMSPEC_CROSSBAR_TEAM_H
#define CIMSPEC_CROSSBAR_TEAM_H

#include "crossbar.h"

/* What a thread works in: what kernels ask for, sums of codes, and what jobs need besides. */
typedef struct {
    cim_room work, sums, notes;
} cim_desk;

typedef void cim_task(void *job, ptrdiff_t part, cim_desk *desk);

/* Do each of `parts`, on so many threads at most; returns when all is done. Threads take parts as they come free. There
   is one team: while it works for another thread, the caller does all parts itself, as it does where no thread starts. */
void cim_share(cim_task *task, void *job, ptrdiff_t parts, ptrdiff_t threads, cim_desk *own);

/* What parts may do one at a time only. */
void cim_lock(void);
void cim_unlock(void);

#endif
