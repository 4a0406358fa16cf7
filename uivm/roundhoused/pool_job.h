/* Jobs of the bus whose work is on the pool of disks. */
#ifndef RH_POOL_JOB_H
#define RH_POOL_JOB_H

#include "job.h"
#include "storage/pool_work.h"

/* Progress goes to the job, and the job's cancelling to the work. The job must not end before the work's answer. */
struct convert_watch pool_job_watch(struct long_job *job);

#endif
