/*
 * The neutral exit record: what the processor says about why a guest left, in terms of neither vendor.
 * Filled by hvm/svm/exit.c and hvm/vmx/exit.c; decided on by hvm/exit.c through one table indexed by reason.
 */
#ifndef HV_HVM_EXIT_H
#define HV_HVM_EXIT_H

#include <hv/hvm.h>

enum hvm_exit_reason {
    EXIT_NOTHING,   /* done by the vendor code, or only an interrupt that is served by now */
    EXIT_EXCEPTION, /* .event; only intercepted ones: #UD, #DB, #BP, #AC, #MC, #NM when lazy */
    EXIT_INTERRUPT_WINDOW,
    EXIT_CPUID,
    EXIT_HLT,
    EXIT_INVLPG, /* .address */
    EXIT_INVD,   /* invd and wbinvd */
    EXIT_RDTSC,  /* rdtscp: .write set */
    EXIT_RDPMC,
    EXIT_HYPERCALL,
    EXIT_VIRTUALISATION, /* instructions of the virtualisation extension itself: #UD */
    EXIT_CR_READ,        /* .cr, .reg: general register number */
    EXIT_CR_WRITE,       /* .cr, .reg; clts and lmsw too, .value has the whole new value and .reg is 0xff */
    EXIT_DR,             /* .cr = number, .reg, .write */
    EXIT_PORT,           /* .port */
    EXIT_MSR,            /* .write */
    EXIT_NESTED_FAULT,   /* .fault: guest physical access that the p2m refused */
    EXIT_TASK_SWITCH,    /* .task */
    EXIT_XSETBV,
    EXIT_MONITOR, /* monitor, mwait */
    EXIT_PAUSE,
    EXIT_SHUTDOWN, /* triple fault */
    EXIT_NMI,
    EXIT_MACHINE_CHECK,
    EXIT_UNKNOWN, /* .code: the vendor's number; kills the guest with a log line */
    EXIT_COUNT,
};

struct hvm_exit {
    enum hvm_exit_reason reason;
    uint64_t code;  /* the vendor's exit number, for messages */
    uint8_t length; /* of the instruction; 0: unknown, hvm/exit.c finds out */
    bool write;
    uint8_t cr, reg;
    uint64_t value, address;
    struct hvm_event event;       /* EXIT_EXCEPTION */
    struct hvm_event interrupted; /* an injection that this exit cut short; must be injected again or merged */
    struct {
        uint16_t port;
        uint8_t bytes; /* 1, 2, 4 */
        bool in, string;
    } port;
    struct {
        uint64_t gpa;
        bool read, write, fetch;
        bool present;      /* there was an entry */
        bool in_walk;      /* while the processor read the guest's own page tables */
        uint8_t bytes[15]; /* instruction bytes, if the processor gives them */
        uint8_t byte_count;
    } fault;
    struct {
        uint16_t selector;
        uint8_t reason; /* 0 call, 1 iret, 2 jmp, 3 task gate */
        bool has_error_code;
        uint32_t error_code;
    } task;
};

/* Interrupts are on; may change the current vcpu's state only. hvm/exit.c */
void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit);
/* #DB for a single step: an instruction has been completed with TF set. hvm/inject.c */
void hvm_single_step(struct vcpu *v);
/* Length of the instruction at rip, by its bytes; 0: they cannot be read, or are none. hvm/fetch.c */
unsigned hvm_instruction_length(struct vcpu *v, const struct cpu_user_regs *regs);
/* Up to 15 bytes at rip; returns how many could be read. */
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15]);
/* hvm/task_switch.c */
void hvm_task_switch(struct vcpu *v, const struct hvm_exit *exit);

#endif
