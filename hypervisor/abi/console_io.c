/*
 * HYPERVISOR_console_io: the machine's console for Domain-0. Source: xen/xen.h.
 */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/policy.h>

#define CHUNK 512

/* Progress lives in the arguments: what is written is cut off the front of the buffer. */
static long console_io_write(struct hypercall *call)
{
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
static long console_io_read(struct hypercall *call)
{
    uint32_t count = (uint32_t)call->arg[1];
    char text[CHUNK];
    size_t bytes;

    if ((int32_t)count < 0)
        return -EINVAL;
    bytes = console_read(text, min(count, (uint32_t)CHUNK));
    if (bytes && copy_to_guest_va(call->arg[2], text, bytes))
        return -EFAULT;
    return (long)bytes;
}

long do_console_io(struct hypercall *call)
{
    int error = allowed_call(current->domain, POLICY_HARDWARE);

    if (error)
        return error;
    switch ((uint32_t)call->arg[0]) {
    case CONSOLEIO_write:
        return console_io_write(call);
    case CONSOLEIO_read:
        return console_io_read(call);
    }
    return -ENOSYS;
}
