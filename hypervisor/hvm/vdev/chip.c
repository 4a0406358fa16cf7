/*
 * The virtual chips of an HVM guest together: their life, and their records in its context. chip.h says in what order.
 */
#include "chip.h"
#include <hv/page_alloc.h>

static bool is_there(const struct domain *d, unsigned id)
{
    return d->hvm->chip[id] != NULL;
}

/* ---- domains ---- */

static int claim(struct domain *d, const struct chip *c)
{
    int error = 0;

    for (unsigned i = 0; i < CHIP_PORTS && !error; i++)
        if (c->ports[i].handler)
            error = hvm_claim_ports(d, c->ports[i].first, c->ports[i].count, c->ports[i].handler);
    if (!error && c->memory.handler)
        error = hvm_claim_memory(d, c->memory.accepts, c->memory.handler);
    return error;
}

static int make(struct domain *d, unsigned id)
{
    const struct chip *c = hvm_chips[id];
    int error;

    d->hvm->chip[id] = zalloc(c->bytes);
    if (!d->hvm->chip[id])
        return -ENOMEM;
    error = claim(d, c);
    return error || !c->init ? error : c->init(d);
}

/* Of the first `count` chips; the state goes of all. */
static void undo(struct domain *d, unsigned count)
{
    for (unsigned id = count; id-- > 0;)
        if (is_there(d, id) && hvm_chips[id]->destroy)
            hvm_chips[id]->destroy(d);
    for (unsigned id = 0; id < hvm_chip_count; id++) {
        free(d->hvm->chip[id]);
        d->hvm->chip[id] = NULL;
    }
}

int chips_init(struct domain *d)
{
    int error = 0;

    for (unsigned id = 0; id < hvm_chip_count && !error; id++) {
        uint32_t flags = hvm_chips[id]->flags;
        if (flags && !(d->hvm->emulation & flags))
            continue;
        error = make(d, id);
        if (error)
            undo(d, id);
    }
    return error;
}

void chips_destroy(struct domain *d)
{
    undo(d, hvm_chip_count);
}

/* ---- vcpus ---- */

int chips_vcpu_init(struct vcpu *v)
{
    int error = 0;

    for (unsigned id = 0; id < hvm_chip_count && !error; id++)
        if (is_there(v->domain, id) && hvm_chips[id]->vcpu_init)
            error = hvm_chips[id]->vcpu_init(v);
    return error;
}

void chips_vcpu_reset(struct vcpu *v)
{
    for (unsigned id = 0; id < hvm_chip_count; id++)
        if (is_there(v->domain, id) && hvm_chips[id]->vcpu_reset)
            hvm_chips[id]->vcpu_reset(v);
}

void chips_vcpu_destroy(struct vcpu *v)
{
    for (unsigned id = hvm_chip_count; id-- > 0;)
        if (is_there(v->domain, id) && hvm_chips[id]->vcpu_destroy)
            hvm_chips[id]->vcpu_destroy(v);
}

/* ---- records ---- */

static const struct hvm_save_handler *record_of(const struct chip *c, uint16_t type)
{
    for (unsigned i = 0; i < CHIP_RECORDS; i++)
        if (c->records[i].type == type && type)
            return &c->records[i];
    return NULL;
}

const struct hvm_save_handler *chips_find_record(const struct domain *d, uint16_t type, bool *there)
{
    for (unsigned id = 0; id < hvm_chip_count; id++) {
        const struct hvm_save_handler *record = record_of(hvm_chips[id], type);
        if (record) {
            *there = is_there(d, id);
            return record;
        }
    }
    return NULL;
}

int chips_save(struct domain *d, struct hvm_save_buffer *b)
{
    int error = 0;

    for (uint16_t type = 1; type <= HVM_SAVE_CODE_MAX && !error; type++) {
        bool there = false;
        const struct hvm_save_handler *record = chips_find_record(d, type, &there);
        if (there)
            error = record->save(d, b);
    }
    return error;
}
