/*
 * Hypercalls that are families of operations: a table with one row for each operation, indexed by its number, and one
 * way to serve it. abi/operation.c
 *
 * A new operation is a handler and its row. The hypercall table (abi/hypercall.c) says who may make the call at all; a
 * row narrows that. A number without a row is answered by -ENOSYS, and so is one beyond the table.
 */
#ifndef HV_OPERATION_H
#define HV_OPERATION_H

#include <hv/hypercall.h>
#include <hv/policy.h>

struct domain;
struct vcpu;

/* One operation on its way through us. What a family looks up before its handlers run is here too. */
struct request {
    struct hypercall *call;
    uint64_t address;      /* of the operation's structure in the caller's memory */
    void *argument;        /* the structure, copied in */
    struct domain *domain; /* whom domctl and dm_op are about, with a reference */
    struct vcpu *vcpu;     /* whom vcpu_op is about */
};

/* When the structure, as the handler leaves it, is copied back. Where the operation could not be undone if that failed,
 * or where it is not all of it, the handler does it itself (copy_argument_out to r->address). */
enum answer {
    ANSWER_NONE = 0,
    ANSWER_DONE = 1,     /* the operation has succeeded */
    ANSWER_FAILED = 2,   /* it says which part was wrong, or what would have done */
    ANSWER_PROGRESS = 4, /* it has to go on: -ERESTART */
    ANSWER_ONLY = 8,     /* as ANSWER_DONE, and nothing is taken: the handler finds zeros */
};

/* Of which domain a domctl may be. */
enum object {
    OBJECT_LIVING,
    OBJECT_ANY_STATE, /* dying and dead too; what others give to a domain, its end would not take back */
    OBJECT_NONE,      /* its number is not one to look up */
};

/* Returns 0, a count, -errno, or -ERESTART after it has stored its progress. */
typedef long (*operation_handler)(struct request *r);

struct operation {
    operation_handler handler; /* NULL: there is none of this number */
    uint16_t bytes;            /* of its structure, at most OPERATION_BYTES; 0: the handler takes what it needs */
    uint8_t who;               /* enum policy_class; asked first */
    uint8_t answer;            /* enum answer, any of them */
    uint8_t object;            /* enum object */
    bool single;               /* of a grant operation: its array has one element */
};
#define OPERATION_BYTES 144

/* Whether the caller may ask for operation `number` of a family: 0 and its row; -ENOSYS, or what the policy says. */
long operation_find(const struct operation *table, size_t count, uint64_t number, const struct operation **found);
/* Runs it. Its structure is taken from r->address, unless r->argument is it already. -EFAULT, or the handler's result.
 */
long operation_run(const struct operation *o, struct request *r);
/* Both. */
long operation_serve(const struct operation *table, size_t count, uint64_t number, struct request *r);

#endif
