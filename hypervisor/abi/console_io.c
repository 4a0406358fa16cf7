/*
 * HYPERVISOR_console_io: the machine's console for Domain-0. Source: xen/xen.h.
 */
#include <hv/console.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>

#define CHUNK 512

/* Progress lives in the arguments: what is written is cut off the front of the buffer. */
static long console_io_write(struct request *r)
{
    struct hypercall *call = r->call;
    uint32_t count = (uint32_t)call->arg[1];
    char text[CHUNK];

    while (count) {
        uint32_t bytes = min(count, (uint32_t)CHUNK);

        if (copy_from_guest_va(text, call->arg[2], bytes))
            return -EFAULT;
        console_write(text, bytes);
        count -= bytes;
        call->arg[1] = count;
        call->arg[2] += bytes;
        if (count && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}

/* A short answer is a good answer: what fits one chunk. The reader asks again. */
static long console_io_read(struct request *r)
{
    uint32_t count = (uint32_t)r->call->arg[1];
    char text[CHUNK];
    size_t bytes;

    if ((int32_t)count < 0)
        return -EINVAL;
    bytes = console_read(text, min(count, (uint32_t)CHUNK));
    if (bytes && copy_to_guest_va(r->call->arg[2], text, bytes))
        return -EFAULT;
    return (long)bytes;
}

static const struct operation operations[] = {
    [CONSOLEIO_write] = {console_io_write, 0, POLICY_HARDWARE},
    [CONSOLEIO_read] = {console_io_read, 0, POLICY_MACHINE_LOG},
};

/* arg[0] CONSOLEIO_*, arg[1] bytes, arg[2] address of the text. */
long do_console_io(struct hypercall *call)
{
    struct request r = {.call = call};

    return operation_serve(operations, ARRAY_SIZE(operations), (uint32_t)call->arg[0], &r);
}
