/*
 * Who may call which method. The service's own user, which is root, always may; about others polkit is asked, without
 * waiting for it. Where polkit is not there or gives no answer, the switcher's user (rh-ui) may and nobody else. Main
 * thread only.
 */
#ifndef RH_AUTHORITY_H
#define RH_AUTHORITY_H

#include <gio/gio.h>

struct authority;

/* What the policy says of a call that polkit allows. */
enum authority_verdict {
    AUTHORITY_ALLOWED,
    AUTHORITY_DENIED, /* with an error */
    AUTHORITY_RAISE,  /* to an administrator it would be otherwise; only where the call says that this may be told */
    AUTHORITY_WAIT,   /* somebody is asked */
};

typedef void (*authority_answer_fn)(gpointer question, const GError *error);

struct authority_call {
    guint32 uid;
    gboolean administrator; /* the caller has shown to be one; otherwise he is the person at the machine */
    gboolean answers;       /* he is one of the two who may answer the policy's questions: root, the switcher */
    gboolean may_raise;
    authority_answer_fn done; /* once, after AUTHORITY_WAIT; error NULL: the gate is asked again */
    gpointer question;
};

struct authority_gate {
    enum authority_verdict (*ask)(gpointer user, GDBusMethodInvocation *invocation, const struct authority_call *call,
                                  GError **error);
    void (*withdraw)(gpointer user, GDBusMethodInvocation *invocation); /* done is not called any more */
    gpointer user;
};

struct authority *authority_new(GDBusConnection *bus);

/* From now on each call has to pass it too. */
void authority_set_gate(struct authority *authority, const struct authority_gate *gate);

/* Calls that wait for an answer are refused. */
void authority_free(struct authority *authority);

/* A method of an interface, and what carries it out; that answers the invocation, now or later. */
struct authority_method {
    const char *signal; /* of the skeleton: "handle-start" */
    void (*run)(GDBusMethodInvocation *invocation, gpointer user, guint argument);
    guint argument;
};

/*
 * From now on each of these methods (up to one whose signal is NULL) is run when its caller may; which action of
 * org.roundhouse.policy that takes, its XML says in an annotation, org.roundhouse.Action. A caller that has gone
 * meanwhile, or an object that has left the bus, is not served: user need not live longer than the skeleton is on the
 * bus.
 */
void authority_serve(struct authority *authority, gpointer skeleton, const struct authority_method *methods,
                     gpointer user);

/* In a method that took an action: whether its caller is the service's own user. */
gboolean authority_is_own_user(GDBusMethodInvocation *invocation);

#endif
