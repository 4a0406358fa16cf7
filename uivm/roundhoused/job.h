/*
 * Work that takes longer than a caller should wait for. Each piece is an object /org/roundhouse/jobs/NUMBER with
 * org.roundhouse.Job1, and goes on when whoever asked for it goes away. It stays some time after its end, so that a
 * client that looks again sees how it went. Main thread only.
 */
#ifndef RH_JOB_H
#define RH_JOB_H

#include "authority.h"

struct jobs;
struct long_job;

struct jobs *jobs_new(GDBusObjectManagerServer *objects, struct authority *authority);

/* Takes all jobs off the bus and cancels those that run; their work still ends them. */
void jobs_free(struct jobs *jobs);

/* Puts a job on the bus, running. kind is a word of Job1's Kind; guest is the guest's name, "" for none. */
struct long_job *long_job_begin(struct jobs *jobs, const char *kind, const char *guest);

/* Cancelled when somebody asks for that. The work may look at it, or be past the point; its end tells. */
GCancellable *long_job_cancellable(struct long_job *job);

const char *long_job_path(const struct long_job *job);

/* How much of it is done, 0 to 1; -1: that is not known. May be told as often as the work likes. */
void long_job_progress(struct long_job *job, double done);

/*
 * The work's last word: done, with the path of the object that came of it (NULL: none), or not done, with the error. An
 * error G_IO_ERROR_CANCELLED is no failure. The work knows the job no more.
 */
void long_job_end(struct long_job *job, const char *result, const GError *error);

#endif
