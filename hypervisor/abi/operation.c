/*
 * How operations of hypercalls are served. operation.h says what a row means.
 */
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>

static unsigned kind_of(long result)
{
    return result >= 0 ? ANSWER_DONE | ANSWER_ONLY : result == -ERESTART ? ANSWER_PROGRESS : ANSWER_FAILED;
}

static __noinline long give_back(const struct operation *o, const struct request *r, long result)
{
    unsigned kind = kind_of(result);

    if (o->answer & kind && copy_to_guest_va(r->address, r->argument, o->bytes) && kind != ANSWER_FAILED)
        return -EFAULT;
    return result;
}

static inline long run(const struct operation *o, struct request *r)
{
    long result = o->handler(r);

    return o->answer ? give_back(o, r, result) : result;
}

static __noinline long run_on_copy(const struct operation *o, struct request *r)
{
    uint64_t argument[OPERATION_BYTES / sizeof(uint64_t)] __uninitialized;
    long result;

    ASSERT(o->bytes <= sizeof(argument));
    if (o->answer == ANSWER_ONLY)
        memset(argument, 0, o->bytes);
    else if (copy_from_guest_va(argument, r->address, o->bytes))
        return -EFAULT;
    r->argument = argument;
    result = run(o, r);
    r->argument = NULL;
    return result;
}

static __noinline long run_given(const struct operation *o, struct request *r)
{
    return run(o, r);
}

/* An operation without a structure, such as the one that does nothing, pays for none: here and in operation_serve() all
 * calls are the last thing done, so that no register is saved for what comes after them. */
long operation_run(const struct operation *o, struct request *r)
{
    if (!o->bytes)
        return o->handler(r);
    return r->argument ? run_given(o, r) : run_on_copy(o, r);
}

static inline const struct operation *row(const struct operation *table, size_t count, uint64_t number)
{
    return number < count && table[number].handler ? &table[number] : NULL;
}

long operation_find(const struct operation *table, size_t count, uint64_t number, const struct operation **found)
{
    const struct operation *o = row(table, count, number);

    if (!o)
        return -ENOSYS;
    *found = o;
    return o->who == POLICY_ANYONE ? 0 : allowed_call(current->domain, o->who);
}

static __noinline long run_if_allowed(const struct operation *o, struct request *r)
{
    long refused = allowed_call(current->domain, o->who);

    return refused ? refused : operation_run(o, r);
}

long operation_serve(const struct operation *table, size_t count, uint64_t number, struct request *r)
{
    const struct operation *o = row(table, count, number);

    if (!o)
        return -ENOSYS;
    return o->who == POLICY_ANYONE ? operation_run(o, r) : run_if_allowed(o, r);
}
