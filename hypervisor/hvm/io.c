/*
 * Dispatch of port and memory accesses: the chip of ours that has claimed the place, then the device model that serves
 * it (ioreq_access), then nobody: reads give all ones, writes are lost.
 */
#include <hv/ioreq.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>

#define CONFIG_ADDRESS 0xcf8 /* PCI Local Bus 3.0, 3.2.2.3.2 */
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000U

static inline uint64_t all_ones(unsigned bytes)
{
    return ~0ULL >> (64 - 8 * bytes);
}

/* ---- chips ---- */

static inline unsigned fold(uint16_t port)
{
    return (port ^ port >> 8) & (PORT_SLOTS - 1);
}

static inline bool claims(const struct port_claim *c, uint16_t port)
{
    return port >= c->first && port <= c->last;
}

static inline enum io_result chip_port(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    const struct hvm_io *io = v->domain->hvm->io;

    for (unsigned i = io->port_slot[fold(port)]; i < io->port_claims; i++) {
        if (claims(&io->port_claim[i], port)) {
            enum io_result result = io->port_claim[i].handler(v, port, bytes, write, value);

            if (result != IO_UNHANDLED)
                return result;
        }
    }
    return IO_UNHANDLED;
}

static bool chip_has_port(const struct hvm_io *io, uint16_t port)
{
    for (unsigned i = io->port_slot[fold(port)]; i < io->port_claims; i++)
        if (claims(&io->port_claim[i], port))
            return true;
    return false;
}

static enum io_result chip_memory(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    const struct hvm_io *io = v->domain->hvm->io;

    for (unsigned i = 0; i < io->memory_claims; i++) {
        if (io->memory_claim[i].accepts(v, gpa)) {
            enum io_result result = io->memory_claim[i].handler(v, gpa, bytes, write, value);

            if (result != IO_UNHANDLED)
                return result;
        }
    }
    return IO_UNHANDLED;
}

int hvm_claim_ports(struct domain *d, uint16_t first, uint16_t count, port_handler handler)
{
    struct hvm_io *io = d->hvm->io;

    if (!count || first > 0x10000 - count)
        return -EINVAL;
    if (io->port_claims == PORT_CLAIMS_MAX)
        return -ENOSPC;
    io->port_claim[io->port_claims] = (struct port_claim){first, (uint16_t)(first + count - 1), handler};
    for (unsigned port = first; port < (unsigned)first + count; port++) {
        uint8_t *slot = &io->port_slot[fold((uint16_t)port)];

        *slot = min(*slot, (uint8_t)io->port_claims);
    }
    io->port_claims++;
    return 0;
}

int hvm_claim_memory(struct domain *d, bool (*accepts)(struct vcpu *v, uint64_t gpa), memory_handler handler)
{
    struct hvm_io *io = d->hvm->io;

    if (io->memory_claims == MEMORY_CLAIMS_MAX)
        return -ENOSPC;
    io->memory_claim[io->memory_claims++] = (struct memory_claim){accepts, handler};
    return 0;
}

/* ---- PCI configuration: the address is kept here, the data port becomes a request by function ---- */

static bool is_config_address(uint16_t port, unsigned bytes)
{
    return port == CONFIG_ADDRESS && bytes == 4;
}

/* False: there is no such access; nobody answers. */
static bool config_access(const struct hvm_io *io, uint16_t port, unsigned bytes, struct io_access *a)
{
    uint32_t address = READ_ONCE(io->config_address);

    if (!(address & CONFIG_ENABLE) || (port & 3) + bytes > 4)
        return false;
    a->range = XEN_DMOP_IO_RANGE_PCI;
    a->type = IOREQ_TYPE_PCI_CONFIG;
    a->address = (uint64_t)(address >> 8 & 0xffff) << 32 | (address & 0xfc) | (port & 3);
    return true;
}

static enum io_result device_port(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct hvm_io *io = v->domain->hvm->io;
    struct io_access a = {
        .range = XEN_DMOP_IO_RANGE_PORT,
        .type = IOREQ_TYPE_PIO,
        .write = write,
        .bytes = (uint8_t)bytes,
        .address = port,
        .value = write ? *value & all_ones(bytes) : 0,
    };
    uint64_t answer = all_ones(bytes);
    enum io_result result = IO_OK;

    if (!io->enabled) {
        /* nobody there */
    } else if (is_config_address(port, bytes)) {
        if (write)
            WRITE_ONCE(io->config_address, *value);
        answer = READ_ONCE(io->config_address);
    } else if ((port & ~3) != CONFIG_DATA || config_access(io, port, bytes, &a)) {
        result = ioreq_access(v, &a, &answer);
    }
    if (!write && result == IO_OK)
        *value = (uint32_t)answer;
    return result;
}

/* ---- accesses ---- */

static inline enum io_result port_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    enum io_result result = chip_port(v, port, bytes, write, value);

    return result == IO_UNHANDLED ? device_port(v, port, bytes, write, value) : result;
}

enum io_result hvm_port_read(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t *value)
{
    return port_access(v, port, bytes, false, value);
}

enum io_result hvm_port_write(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value)
{
    return port_access(v, port, bytes, true, &value);
}

static enum io_result device_memory(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct io_access a = {
        .range = XEN_DMOP_IO_RANGE_MEMORY,
        .type = IOREQ_TYPE_COPY,
        .write = write,
        .bytes = (uint8_t)bytes,
        .address = gpa,
        .value = write ? *value & all_ones(bytes) : 0,
    };

    if (v->domain->hvm->io->enabled)
        return ioreq_access(v, &a, value);
    if (!write)
        *value = all_ones(bytes);
    return IO_OK;
}

static inline enum io_result memory_access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    enum io_result result = chip_memory(v, gpa, bytes, write, value);

    return result == IO_UNHANDLED ? device_memory(v, gpa, bytes, write, value) : result;
}

enum io_result hvm_memory_read(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t *value)
{
    return memory_access(v, gpa, bytes, false, value);
}

enum io_result hvm_memory_write(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t value)
{
    return memory_access(v, gpa, bytes, true, &value);
}

/* ---- string instructions ---- */

static bool within_page(uint64_t address, unsigned bytes, bool down, uint32_t count)
{
    uint64_t offset = address & (PAGE_SIZE - 1), span = (uint64_t)bytes * (count - 1);

    return down ? offset >= span && offset + bytes <= PAGE_SIZE : offset + span + bytes <= PAGE_SIZE;
}

/* The device model reaches guest memory by itself, so it must be RAM that the guest may use this way. */
static bool is_buffer(struct domain *d, uint64_t gpa, bool writes)
{
    enum p2m_type type;

    if (p2m_lookup(d, gpa >> PAGE_SHIFT, &type, NULL) == INVALID_MFN)
        return false;
    return type == P2M_RAM || type == P2M_RAM_LOG_DIRTY || (type == P2M_RAM_READONLY && !writes);
}

static enum io_result repeat(struct vcpu *v, struct io_access *a)
{
    uint64_t ignored;

    if (!v->domain->hvm->io->enabled || !a->count || !within_page(a->value, a->bytes, a->down, a->count) ||
        !is_buffer(v->domain, a->value, !a->write))
        return IO_UNHANDLED;
    return ioreq_access(v, a, &ignored);
}

enum io_result hvm_port_repeat(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint64_t buffer, bool down,
                               uint32_t count)
{
    struct io_access a = {
        .range = XEN_DMOP_IO_RANGE_PORT,
        .type = IOREQ_TYPE_PIO,
        .write = write,
        .bytes = (uint8_t)bytes,
        .address = port,
        .value = buffer,
        .count = count,
        .down = down,
    };

    if (chip_has_port(v->domain->hvm->io, port) || (port & ~7) == CONFIG_ADDRESS)
        return IO_UNHANDLED;
    return repeat(v, &a);
}

enum io_result hvm_memory_repeat(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t buffer, bool down,
                                 uint32_t count)
{
    const struct hvm_io *io = v->domain->hvm->io;
    struct io_access a = {
        .range = XEN_DMOP_IO_RANGE_MEMORY,
        .type = IOREQ_TYPE_COPY,
        .write = write,
        .bytes = (uint8_t)bytes,
        .address = gpa,
        .value = buffer,
        .count = count,
        .down = down,
    };

    for (unsigned i = 0; i < io->memory_claims; i++)
        if (io->memory_claim[i].accepts(v, gpa))
            return IO_UNHANDLED;
    if (!count || !within_page(gpa, bytes, down, count))
        return IO_UNHANDLED;
    return repeat(v, &a);
}

/* ---- life ---- */

int hvm_io_init(struct domain *d)
{
    struct hvm_io *io = zalloc(sizeof(*io));

    if (!io)
        return -ENOMEM;
    spin_lock_init(&io->lock, LOCK_IOREQ);
    memset(io->port_slot, 0xff, sizeof(io->port_slot));
    io->write_server = NO_IOREQ_SERVER;
    d->hvm->io = io;
    return 0;
}

void hvm_io_relinquish(struct domain *d)
{
    for (unsigned id = 0; d->hvm->io && id < IOREQ_SERVERS; id++)
        ioreq_server_destroy(d, (ioservid_t)id);
}

void hvm_io_destroy(struct domain *d)
{
    free(d->hvm->io);
    d->hvm->io = NULL;
}
