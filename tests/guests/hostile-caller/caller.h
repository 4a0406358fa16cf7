/*
 * The hostile caller: every hypercall and every operation of every family, with domain ids and pointers that are none
 * of its business. It judges nothing: each call's answer is a field of a line, and tests/rig/hostile.py compares the
 * lines with those of the reference. Built as a PV and as an HVM kernel.
 *
 * Command line: victim=ID a living domain, dead=ID one that is no more.
 */
#ifndef CALLER_H
#define CALLER_H

#ifdef HVM_KERNEL
#include "hvm.h"
#else
#include "guest.h"
#endif
#include <xen/grant_table.h>
#include <xen/physdev.h>
#include <xen/vcpu.h>
#include <xen/callback.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

/* Whose business a call makes itself. */
enum { SELF, OWN, CONTROL, VICTIM, DEAD, UNUSED, OF_IO, OF_XEN, OF_COW, INVALID, IDLE, DOMAINS };
extern domid_t domains[DOMAINS];
extern const char *const domain_names[DOMAINS];
void domains_find(void);

/* An operation of a family, with what an honest caller would hand over. The structure is zero but for what `fill` sets.
 */
struct operation {
    const char *name;
    unsigned op;
    int domain_at; /* offset of a domain id; -1: none */
    int status_at; /* offset of a 16-bit status; -1: none */
    void (*fill)(void *argument);
    enum { HARMLESS, SPARE_SELF, SPARE } care; /* would end or maim its caller; even with pointers to nowhere */
};

/* A family: how the number of an operation and its structure are handed over. */
struct family {
    const char *name;
    unsigned hypercall;
    unsigned last; /* operations 0 to here are tried, and some far outside */
    enum { OP_ARG, OP_ARG_1, OP_0_ARG, IN_STRUCT, BY_DOMAIN, LIST_DOMAIN } passing;
    unsigned version; /* of the interface: second word of the structure */
    int domain_at;    /* where operations that are not listed have a domain id */
    const struct operation *operations;
    unsigned count;
};
extern const struct family families[];
extern const unsigned family_count;

/* One line of the table, built piece by piece. */
void line_begin(const char *family, unsigned long op, const char *name);
void line_add(const char *column, long result);
void line_end(void);

#endif
