/*
 * domctl: the context of an HVM guest, out and in, as the stream of hvm/save.c. Source: xen/domctl.h.
 *
 * The domain is kept off every processor meanwhile. The stream is made in a buffer of ours, and goes between it and
 * Domain-0 in pieces of a page.
 */
#include <hv/abi_internal.h>
#include <hv/guest_copy.h>
#include <hv/page_alloc.h>
#include <hv/vdev.h>

/* More than any stream of ours can be long: 64 vcpus with all there is of extended state. */
#define MAX_CONTEXT (4 * MiB)

static int copy_out(unsigned long to, const uint8_t *from, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += PAGE_SIZE)
        if (copy_to_guest_va(to + done, from + done, min(bytes - done, PAGE_SIZE)))
            return -EFAULT;
    return 0;
}

static int copy_in(uint8_t *to, unsigned long from, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += PAGE_SIZE)
        if (copy_from_guest_va(to + done, from + done, min(bytes - done, PAGE_SIZE)))
            return -EFAULT;
    return 0;
}

static int check_domain(const struct domain *d)
{
    return is_current_domain(d) || !is_hvm(d) ? -EINVAL : 0;
}

/* Without a buffer: how long it would have to be. */
long domctl_gethvmcontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    uint32_t bytes = 0;
    uint8_t *buffer;
    int error = check_domain(d);

    if (error)
        return error;
    domain_pause_sync(d);
    error = hvm_save(d, NULL, &bytes);
    buffer = error || guest_handle_is_null(c->buffer) ? NULL : zalloc(bytes);
    if (buffer)
        error = hvm_save(d, buffer, &bytes);
    domain_unpause(d);
    if (!error && !guest_handle_is_null(c->buffer)) {
        if (!buffer)
            error = -ENOMEM;
        else if (c->size < bytes)
            error = -ENOSPC;
        else
            error = copy_out(guest_handle_address(c->buffer), buffer, bytes);
    }
    free(buffer);
    c->size = bytes;
    return error;
}

long domctl_sethvmcontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    const struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    uint8_t *buffer;
    int error = check_domain(d);

    if (error)
        return error;
    if (!c->size || c->size > MAX_CONTEXT)
        return -EINVAL;
    buffer = zalloc(c->size);
    if (!buffer)
        return -ENOMEM;
    error = copy_in(buffer, guest_handle_address(c->buffer), c->size);
    if (!error) {
        domain_pause_sync(d);
        error = hvm_load(d, buffer, c->size);
        domain_unpause(d);
    }
    free(buffer);
    return error;
}

/* One record, without its descriptor; bufsz says how long it is. */
long domctl_gethvmcontext_partial(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_hvmcontext_partial *p = &op->u.hvmcontext_partial;
    uint8_t *buffer = NULL;
    uint32_t bytes = 0;
    int error = check_domain(d);

    if (error)
        return error;
    if (p->type > HVM_SAVE_CODE_MAX || p->instance > UINT16_MAX)
        return -EINVAL;
    domain_pause_sync(d);
    error = hvm_save_one(d, (uint16_t)p->type, (uint16_t)p->instance, NULL, &bytes);
    if (!error && !guest_handle_is_null(p->buffer)) {
        buffer = zalloc(bytes);
        error = !buffer            ? -ENOMEM
                : p->bufsz < bytes ? -ENOSPC
                                   : hvm_save_one(d, (uint16_t)p->type, (uint16_t)p->instance, buffer, &bytes);
    }
    domain_unpause(d);
    if (!error && buffer)
        error = copy_out(guest_handle_address(p->buffer), buffer, bytes);
    free(buffer);
    p->bufsz = bytes;
    return error;
}
