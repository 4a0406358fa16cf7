/* Between a job and its work. */
#include "pool_job.h"

static void tell(double part, gpointer job)
{
    long_job_progress(job, part);
}

struct convert_watch pool_job_watch(struct long_job *job)
{
    return (struct convert_watch){tell, job, long_job_cancellable(job)};
}
