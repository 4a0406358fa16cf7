/* Makes the calls and prints the table. */
#include "caller.h"

const char test_title[] = "hostile caller";

domid_t domains[DOMAINS];
const char *const domain_names[DOMAINS] = {"self", "own", "control", "victim",  "dead", "unused",
                                           "io",   "xen", "cow",     "invalid", "idle"};

static char argument[PAGE] __attribute__((aligned(4096)));
static char text[400];
static unsigned used;

/* ---- Lines ---- */
static void add_text(const char *s)
{
    while (*s && used < sizeof(text) - 1)
        text[used++] = *s++;
    text[used] = 0;
}

static void add_number(unsigned long n, unsigned base)
{
    char digits[24];
    unsigned at = sizeof(digits) - 1;
    digits[at] = 0;
    do
        digits[--at] = "0123456789abcdef"[n % base];
    while (n /= base);
    add_text(digits + at);
}

void line_begin(const char *family, unsigned long op, const char *name)
{
    used = 0;
    add_text("CALL ");
    add_text(family);
    add_text(".");
    if (op > 9999)
        add_text("0x");
    add_number(op, op > 9999 ? 16 : 10);
    add_text(name ? "." : "");
    add_text(name ? name : "");
}

/* What a call yields when it succeeds is not the subject: only whether it is 0. */
void line_add(const char *column, long result)
{
    add_text(" ");
    add_text(column);
    add_text(result > 0 ? "=+" : result ? "=-" : "=0");
    if (result < 0)
        add_number(-(unsigned long)result, result < -4095 ? 16 : 10);
}

void line_end(void)
{
    say("%s", text);
}

/* ---- Domains ---- */
static domid_t number_option(const char *key)
{
    domid_t n = 0;
    const char *at = option(key);
    if (!at)
        error("the command line has no %s=", key);
    for (; *at >= '0' && *at <= '9'; at++)
        n = (domid_t)(n * 10 + *at - '0');
    return n;
}

void domains_find(void)
{
    static const domid_t fixed[] = {DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE};
    domains[SELF] = DOMID_SELF;
    domains[VICTIM] = number_option("victim");
    domains[DEAD] = number_option("dead");
    domains[UNUSED] = 3000;
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        domains[OF_IO + i] = fixed[i];
    domains[OWN] = own_domain();
}

/* ---- One call ---- */
static long call(const struct family *f, unsigned long op, void *at, domid_t id)
{
    struct {
        void *at;
        uint64_t size;
    } buffer = {at, 256};
    switch (f->passing) {
    case OP_ARG:
        return hypercall(f->hypercall, op, (uint64_t)at, 0, 0, 0);
    case OP_ARG_1: /* a count; a vcpu id comes first */
        return f->hypercall == __HYPERVISOR_vcpu_op ? hypercall(f->hypercall, op, 1, (uint64_t)at, 0, 0)
                                                    : hypercall(f->hypercall, op, (uint64_t)at, 1, 0, 0);
    case OP_0_ARG:
        return hypercall(f->hypercall, op, 4, (uint64_t)at, 0, 0);
    case IN_STRUCT:
        return hypercall(f->hypercall, (uint64_t)at, 0, 0, 0, 0);
    case BY_DOMAIN:
        return hypercall(f->hypercall, id, 1, (uint64_t)&buffer, 0, 0);
    case LIST_DOMAIN:
        return hypercall(f->hypercall, (uint64_t)at, 1, 0, id, 0);
    }
    return 0;
}

static const struct operation *operation_of(const struct family *f, unsigned long op)
{
    for (unsigned i = 0; i < f->count; i++)
        if (f->operations[i].op == op)
            return &f->operations[i];
    return NULL;
}

static bool op_in_structure(const struct family *f)
{
    return f->passing == IN_STRUCT || f->passing == BY_DOMAIN || f->passing == LIST_DOMAIN;
}

static void prepare(const struct family *f, const struct operation *o, unsigned long op, domid_t id)
{
    int at = o ? o->domain_at : f->domain_at;
    memory_set(argument, 0, 512);
    if (o && o->fill)
        o->fill(argument);
    if (op_in_structure(f)) {
        *(uint32_t *)argument = (uint32_t)op;
        if (f->version)
            *(uint32_t *)(argument + 4) = f->version;
    }
    if (f->passing == LIST_DOMAIN)
        *(uint64_t *)(argument + 8) = 1; /* a frame below 1 MiB */
    if (at >= 0)
        *(domid_t *)(argument + at) = id;
}

static long honest_call(const struct family *f, const struct operation *o, unsigned long op, domid_t id)
{
    prepare(f, o, op, id);
    long result = call(f, op, argument, id);
    return result || !o || o->status_at < 0 ? result : *(int16_t *)(argument + o->status_at);
}

/* ---- An operation with everything that is not its caller's ---- */
static void bad_pointers(const struct family *f, unsigned long op)
{
    static const struct {
        const char *name;
        uint64_t at;
    } bad[] = {
        {"unmapped", UNMAPPED}, {"noncanonical", NON_CANONICAL}, {"hypervisor", IN_HYPERVISOR}, {"top", ALMOST_TOP}};
    prepare(f, NULL, op, DOMID_SELF);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        line_add(bad[i].name, call(f, op, (void *)bad[i].at, DOMID_SELF));
}

static void try_operation(const struct family *f, unsigned long op)
{
    const struct operation *o = operation_of(f, op);
    bool names_domain = (o ? o->domain_at : f->domain_at) >= 0 || f->passing == BY_DOMAIN || f->passing == LIST_DOMAIN;
    line_begin(f->name, op, o ? o->name : NULL);
    if (!o || o->care != SPARE)
        bad_pointers(f, op);
    for (unsigned who = 0; who < (names_domain ? DOMAINS : 1); who++)
        if (who > OWN || !o || o->care == HARMLESS)
            line_add(domain_names[who], honest_call(f, o, op, domains[who]));
    line_end();
}

static void try_family(const struct family *f)
{
    static const unsigned long outside[] = {255, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000};
    for (unsigned op = 0; op <= f->last; op++)
        try_operation(f, op);
    for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
        try_operation(f, outside[i]);
}

/* ---- Calls that are no family ---- */
struct lone {
    const char *name;
    unsigned hypercall;
    uint64_t a, b, c, d;
};

static void try_lone(const struct lone *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        line_begin("single", i, list[i].name);
        line_add("result", hypercall(list[i].hypercall, list[i].a, list[i].b, list[i].c, list[i].d, 0));
        line_end();
    }
}

static char page[PAGE] __attribute__((aligned(4096)));

static void lone_calls(void)
{
    uint64_t own = (uint64_t)page, nobody = 1 << 12 | 0x67;
    const struct lone list[] = {
        {"set_trap_table", __HYPERVISOR_set_trap_table, UNMAPPED, 0, 0, 0},
        {"set_trap_table", __HYPERVISOR_set_trap_table, IN_HYPERVISOR, 0, 0, 0},
        {"set_gdt", __HYPERVISOR_set_gdt, UNMAPPED, 1, 0, 0},
        {"set_gdt", __HYPERVISOR_set_gdt, own, 8193, 0, 0},
        {"set_gdt-of-nobody", __HYPERVISOR_set_gdt, own, 1, 0, 0},
        {"set_debugreg", __HYPERVISOR_set_debugreg, 0, IN_HYPERVISOR, 0, 0},
        {"set_debugreg", __HYPERVISOR_set_debugreg, 4, 0, 0, 0},
        {"set_debugreg", __HYPERVISOR_set_debugreg, 7, 1UL << 32, 0, 0},
        {"set_debugreg", __HYPERVISOR_set_debugreg, 8, 0, 0, 0},
        {"get_debugreg", __HYPERVISOR_get_debugreg, 8, 0, 0, 0},
        {"update_descriptor-of-nobody", __HYPERVISOR_update_descriptor, 0x1000, 0, 0, 0},
        {"update_descriptor-far", __HYPERVISOR_update_descriptor, 1UL << 51, 0, 0, 0},
        {"update_va_mapping-of-nobody", __HYPERVISOR_update_va_mapping, own, nobody, 0, 0},
        {"update_va_mapping-ours", __HYPERVISOR_update_va_mapping, IN_HYPERVISOR, 0, 0, 0},
        {"update_va_mapping-top", __HYPERVISOR_update_va_mapping, NON_CANONICAL, 0, 0, 0},
        {"set_segment_base", __HYPERVISOR_set_segment_base, 0, NON_CANONICAL, 0, 0},
        {"set_segment_base", __HYPERVISOR_set_segment_base, 4, 0, 0, 0},
        {"set_segment_base", __HYPERVISOR_set_segment_base, 3, 0xffff, 0, 0},
        {"set_timer_op", __HYPERVISOR_set_timer_op, 0, 0, 0, 0},
        {"multicall", __HYPERVISOR_multicall, UNMAPPED, 1, 0, 0},
        {"multicall", __HYPERVISOR_multicall, IN_HYPERVISOR, 1, 0, 0},
        {"multicall-of-2^31", __HYPERVISOR_multicall, UNMAPPED, 0x80000000, 0, 0},
    };
    try_lone(list, ARRAY_SIZE(list));
}

static void table_calls(void)
{
    for (unsigned who = 0; who < DOMAINS; who++) {
        struct {
            uint64_t ptr, value;
        } update = {0x1000, 0};
        line_begin("mmu_update", who, domain_names[who]);
        for (unsigned kind = 0; kind < 4; kind++) {
            static const char *const kinds[] = {"normal", "machphys", "preserve", "translated"};
            update.ptr = 0x1000 | kind;
            line_add(kinds[kind], HYPERCALL(mmu_update, &update, 1, 0, domains[who]));
            line_add("tables", HYPERCALL(mmu_update, &update, 1, 0, (domains[who] + 1UL) << 16 | DOMID_SELF));
        }
        line_add("otherdomain", HYPERCALL(update_va_mapping_otherdomain, page, 0, 0, domains[who]));
        line_add("hypervisor", HYPERCALL(mmu_update, IN_HYPERVISOR, 1, 0, domains[who]));
        line_end();
    }
}

static void assists(void)
{
    for (unsigned type = 0; type < 40; type++) {
        line_begin("vm_assist", type, NULL);
        long enabled = HYPERCALL(vm_assist, VMASST_CMD_enable, type);
        line_add("enable", enabled);
        line_add("disable", HYPERCALL(vm_assist, VMASST_CMD_disable, type));
        line_add("other", HYPERCALL(vm_assist, 2, type));
        line_end();
    }
}

/* A parameter of ours is set to what it is. */
static void parameters(void)
{
    for (unsigned index = 0; index < HVM_NR_PARAMS + 2; index++) {
        struct xen_hvm_param parameter;
        line_begin("hvm_param", index, NULL);
        for (unsigned who = SELF; who <= OF_XEN; who++) {
            parameter = (struct xen_hvm_param){.domid = domains[who], .index = index};
            line_add(domain_names[who], HYPERCALL(hvm_op, HVMOP_get_param, &parameter));
            if (who > OWN ||
                index != HVM_PARAM_VM86_TSS_SIZED) /* what it has is not what the reference lets it set: it crashes */
                line_add("set", HYPERCALL(hvm_op, HVMOP_set_param, &parameter));
        }
        line_end();
    }
}

/* Every number, with pointers to nowhere: those without a family must not exist. */
static void numbers(void)
{
    static const unsigned outside[] = {64, 100, 127};
    for (unsigned n = 0; n < 64 + ARRAY_SIZE(outside); n++) {
        unsigned number = n < 64 ? n : outside[n - 64];
        if (number == __HYPERVISOR_iret || number == __HYPERVISOR_stack_switch ||
            number == __HYPERVISOR_set_callbacks || number == __HYPERVISOR_multicall ||
            number == __HYPERVISOR_set_timer_op)
            continue;
        line_begin("number", number, NULL);
        line_add("result", hypercall(number, UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED));
        line_end();
    }
}

void test_main(void)
{
    console_use_ring();
    domains_find();
    numbers();
    for (unsigned i = 0; i < family_count; i++)
        try_family(&families[i]);
    lone_calls();
    table_calls();
    assists();
    parameters();
}
