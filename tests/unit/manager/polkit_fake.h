/*
 * A polkit of the test's own on the private bus, and callers beside the test's own connection, which that polkit sits
 * on.
 */
#ifndef RH_TEST_POLKIT_FAKE_H
#define RH_TEST_POLKIT_FAKE_H

#include "service.h"

/* Nobody's number: the test is not the service's own user. */
#define OTHER_UID "4242"

enum verdict { ALLOW, REFUSE, CHALLENGE, LATER, BREAK };

struct polkit {
    GDBusConnection *bus;
    guint object, name;
    enum verdict verdict;
    GString *asked;                 /* the last word of each action, and what it was told to forget */
    char *subject;                  /* of the last question */
    guint32 flags;                  /* likewise */
    GDBusMethodInvocation *waiting; /* the question that is answered later */
};

void polkit_start(struct polkit *polkit, enum verdict verdict);
void polkit_stop(struct polkit *polkit);

/* To a question that waited. */
void polkit_answer(GDBusMethodInvocation *invocation, gboolean allowed, gboolean challenge);

GDBusConnection *caller_new(void);

struct reply {
    gboolean there;
    GError *error;
};

/* Calls a method of the service; the reply comes while the main loop runs. */
void call(GDBusConnection *caller, const char *path, const char *interface, const char *method, GVariant *parameters,
          GDBusCallFlags flags, struct reply *reply);

/* The same, and waits. NULL: it was done. */
GError *try_to(GDBusConnection *caller, const char *path, const char *interface, const char *method,
               GVariant *parameters);

/* Says no to each question of the policy that is there; how many there were. */
guint no_to_all(struct fixture *fixture);

#endif
