/*
 * Segment registers of an SVM guest: they are the control block's fields. Source: AMD APM volume 2, 15.5.1.
 */
#include <hv/svm.h>

static struct vmcb_segment *field_of(struct vmcb *b, enum hvm_segment which)
{
    switch (which) {
    case SEG_ES:
        return &b->es;
    case SEG_CS:
        return &b->cs;
    case SEG_SS:
        return &b->ss;
    case SEG_DS:
        return &b->ds;
    case SEG_FS:
        return &b->fs;
    case SEG_GS:
        return &b->gs;
    case SEG_TR:
        return &b->tr;
    case SEG_LDTR:
        return &b->ldtr;
    case SEG_GDTR:
        return &b->gdtr;
    default:
        return &b->idtr;
    }
}

void svm_get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out)
{
    const struct vmcb_segment *s = field_of(vmcb_of(v), which);
    out->base = s->base;
    out->limit = s->limit;
    out->selector = s->selector;
    out->attributes = s->attributes;
}

/* The block has the privilege level in a field of its own; everywhere else it is the stack segment's. */
void svm_set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in)
{
    struct vmcb *b = vmcb_of(v);
    *field_of(b, which) = (struct vmcb_segment){in->selector, in->attributes & 0xfff, in->limit, in->base};
    if (which == SEG_SS)
        b->cpl = (in->attributes & SEG_ATTR_DPL) >> 5;
    b->clean &= ~(CLEAN_SEGMENTS | CLEAN_TABLES);
}

unsigned svm_cpl(struct vcpu *v)
{
    return vmcb_of(v)->cpl;
}
