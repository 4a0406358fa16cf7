/*
 * Between a caller whom polkit knows and the method that he calls: what the policy says of it. The method's XML names
 * the verb in an annotation, org.roundhouse.Verb; what it is done to is the guest whose object is called, the guest
 * that the arguments tell of, or the laptop. Who copies an image, or gives it to another guest, must also be allowed to
 * export every guest that has it. What a call wants is asked one after the other, and all of it again after each
 * answer: what is agreed to is what is then done. Main thread only.
 */
#ifndef RH_POLICY_GATE_H
#define RH_POLICY_GATE_H

#include "asker.h"
#include "authority.h"
#include "log.h"
#include "questions.h"

struct policy_gate {
    struct policy_asker *asker;
    struct policy_log *log;
    struct policy_questions *questions;
    GPtrArray *guests;    /* struct guest */
    const char *supplies; /* facts.h, and so is */
    struct policy_screen screen;
};

/* What authority_set_gate() is given. The gate must outlive the authority. */
struct authority_gate policy_gate_for_authority(struct policy_gate *gate);

/* The same question of the laptop's own doing, which nobody waits for: what has to be asked is denied. */
gboolean policy_gate_laptop_may(struct policy_gate *gate, enum policy_verb verb, const struct guest_config *config,
                                GError **error);

/*
 * org.roundhouse.Manager1.PolicyExplain: what the answer would be now, and the rule. subject and object are the
 * policy's words for people and this machine, or the name of a guest; object "": the laptop. NULL with an error.
 */
GVariant *policy_gate_explain(struct policy_gate *gate, const char *subject, const char *verb, const char *object,
                              GError **error);

#endif
