/*
 * The context of an HVM guest as a stream of records: header, one per vcpu or chip, end. Sources: xen/hvm/save.h,
 * xen/arch-x86/hvm/save.h.
 *
 * A record shorter than ours comes from an older format: the rest is zero. Records of types we do not have, longer
 * ones, those of vcpus or chips that the guest does not have, and those that came already are refused: a stream is a
 * file of whoever, and loaded in one go. When a stream is refused what was loaded before stays: the caller destroys the
 * guest.
 */
#include <hv/domain_log.h>
#include <hv/domain_tsc.h>
#include <hv/page_alloc.h>
#include <hv/time.h>
#include <hv/vdev.h>

_Static_assert(sizeof(struct hvm_save_descriptor) == 8 && sizeof(struct hvm_save_header) == 24, "ABI");
_Static_assert(sizeof(struct hvm_hw_cpu) == 1032 && sizeof(struct hvm_hw_mtrr) == 240, "ABI");

/* The order of the stream: a vcpu before its APIC. */
#define THE_CHIPS NULL /* by type codes, which is controllers before the lines that lead to them */
static const struct hvm_save_handler *const handlers[] = {
    &save_cpu,           THE_CHIPS,       &save_mtrr,    &save_viridian_domain,
    &save_viridian_vcpu, &save_cpu_xsave, &save_cpu_msr, &save_tsc_adjust,
};

int hvm_save_record(struct hvm_save_buffer *b, uint16_t type, uint16_t instance, const void *body, uint32_t bytes)
{
    struct hvm_save_descriptor descriptor = {type, instance, bytes};

    if (b->data) {
        if (b->size - b->at < sizeof(descriptor) || b->size - b->at - sizeof(descriptor) < bytes)
            return -ENOSPC;
        memcpy(b->data + b->at, &descriptor, sizeof(descriptor));
        if (bytes)
            memcpy(b->data + b->at + sizeof(descriptor), body, bytes);
    }
    b->at += (uint32_t)sizeof(descriptor) + bytes;
    return 0;
}

static int save_header(const struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_save_header header = {
        .magic = HVM_FILE_MAGIC,
        .version = HVM_FILE_VERSION,
        .changeset = ~0ULL,
        .cpuid = cpuid(1, 0).eax,
        .gtsc_khz = domain_tsc_khz(d),
    };

    return hvm_save_record(b, HVM_SAVE_CODE(HEADER), 0, &header, sizeof(header));
}

int hvm_save(struct domain *d, uint8_t *buffer, uint32_t *bytes)
{
    struct hvm_save_buffer b = {.data = buffer, .size = *bytes};
    int error = save_header(d, &b);

    for (unsigned i = 0; i < ARRAY_SIZE(handlers) && !error; i++)
        error = handlers[i] ? handlers[i]->save(d, &b) : chips_save(d, &b);
    if (!error)
        error = hvm_save_record(&b, HVM_SAVE_CODE(END), 0, NULL, 0);
    *bytes = b.at;
    return error;
}

/* *there: d may have such records. */
static const struct hvm_save_handler *find_handler(const struct domain *d, uint16_t type, bool *there)
{
    *there = true;
    for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
        if (handlers[i] && handlers[i]->type == type)
            return handlers[i];
    return chips_find_record(d, type, there);
}

static int check_header(const struct hvm_save_descriptor *descriptor, const uint8_t *body)
{
    struct hvm_save_header header;

    if (descriptor->typecode != HVM_SAVE_CODE(HEADER) || descriptor->length != sizeof(header))
        return -EINVAL;
    memcpy(&header, body, sizeof(header));
    return header.magic == HVM_FILE_MAGIC && header.version == HVM_FILE_VERSION ? 0 : -EINVAL;
}

/* By type, a bit for each instance that the stream has had. No handler takes an instance beyond MAX_VCPUS. */
struct loaded {
    unsigned long instances[HVM_SAVE_CODE_MAX + 1];
};
_Static_assert(MAX_VCPUS <= BITS_PER_LONG, "a bit for each");

static bool came_already(struct loaded *loaded, const struct hvm_save_descriptor *descriptor)
{
    return descriptor->instance < MAX_VCPUS &&
           test_and_set_bit(descriptor->instance, &loaded->instances[descriptor->typecode]);
}

static int load_record(struct domain *d, struct loaded *loaded, const struct hvm_save_descriptor *descriptor,
                       const uint8_t *body)
{
    bool there;
    const struct hvm_save_handler *handler = find_handler(d, descriptor->typecode, &there);
    uint8_t *whole;
    int error;

    if (!handler || descriptor->length > handler->bytes)
        return -EINVAL;
    if (!there)
        return -ENODEV;
    if (came_already(loaded, descriptor))
        return -EEXIST;
    whole = zalloc(handler->bytes);
    if (!whole)
        return -ENOMEM;
    memcpy(whole, body, descriptor->length);
    error = handler->load(d, descriptor->instance, whole);
    free(whole);
    return error;
}

/* The record at b->at, whole: false when the stream ends inside it. */
static bool next_record(struct hvm_save_buffer *b, struct hvm_save_descriptor *descriptor, const uint8_t **body)
{
    if (b->size - b->at < sizeof(*descriptor))
        return false;
    memcpy(descriptor, b->data + b->at, sizeof(*descriptor));
    b->at += (uint32_t)sizeof(*descriptor);
    *body = b->data + b->at;
    if (b->size - b->at < descriptor->length)
        return false;
    b->at += descriptor->length;
    return true;
}

int hvm_load(struct domain *d, const uint8_t *buffer, uint32_t bytes)
{
    struct hvm_save_buffer b = {.data = (uint8_t *)buffer, .size = bytes};
    struct hvm_save_descriptor descriptor;
    struct loaded loaded = {0};
    const uint8_t *body;
    int error = next_record(&b, &descriptor, &body) ? check_header(&descriptor, body) : -ENODATA;

    while (!error) {
        if (!next_record(&b, &descriptor, &body))
            error = -ENODATA;
        else if (descriptor.typecode == HVM_SAVE_CODE(END))
            return 0;
        else
            error = load_record(d, &loaded, &descriptor, body);
    }
    domain_log(LOG_INFO, d, "context refused (error %d) at byte %u of %u", -error, b.at, bytes);
    return error;
}

/* The record without its descriptor. It is sought in the records of its type alone. */
int hvm_save_one(struct domain *d, uint16_t type, uint16_t instance, uint8_t *buffer, uint32_t *bytes)
{
    bool there;
    const struct hvm_save_handler *handler = find_handler(d, type, &there);
    struct hvm_save_buffer all = {.data = NULL};
    struct hvm_save_descriptor descriptor;
    const uint8_t *body;
    int error;

    if (!handler)
        return -EINVAL;
    error = there ? handler->save(d, &all) : -ENOENT;
    if (error)
        return error;
    all = (struct hvm_save_buffer){.data = zalloc(all.at + 1), .size = all.at};
    if (!all.data)
        return -ENOMEM;
    error = handler->save(d, &all);
    all.at = 0;
    while (!error) {
        if (!next_record(&all, &descriptor, &body)) {
            error = -ENOENT;
        } else if (descriptor.instance == instance) {
            if (buffer && *bytes >= descriptor.length)
                memcpy(buffer, body, descriptor.length);
            else if (buffer)
                error = -ENOSPC;
            *bytes = descriptor.length;
            break;
        }
    }
    free(all.data);
    return error;
}
