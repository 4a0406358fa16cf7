/*
 * What the policy is to be asked before a method of the bus is carried out: of each guest that it is about, of what a
 * guest becomes by it, and of each guest that has an image which it copies or gives to another. Main thread only.
 */
#ifndef RH_POLICY_REQUEST_H
#define RH_POLICY_REQUEST_H

#include "asker.h"

#include <gio/gio.h>

#define POLICY_REQUESTS_MAX 256 /* of one call */

/* One question; who asks is not in it. */
struct policy_request {
    enum policy_verb verb;
    struct policy_party object;
};

struct policy_requests {
    GArray *list;        /* struct policy_request; none: there is nothing to ask */
    GStringChunk *texts; /* those of its parties */
};

/*
 * verb: the method's. guests: struct guest. FALSE with an RH_ERROR_NOT_FOUND, what the call is about is not there, or
 * an RH_ERROR_BAD_CONFIG, that is too much. Either way the requests are to be cleared. Names that cannot be one are
 * "?", so that texts of callers come into no sentence, file or question.
 */
gboolean policy_requests_read(struct policy_requests *requests, struct policy_asker *asker, const GPtrArray *guests,
                              GDBusMethodInvocation *invocation, enum policy_verb verb, GError **error);
void policy_requests_clear(struct policy_requests *requests);

#endif
