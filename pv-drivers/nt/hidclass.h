/*
 * HIDCLASS for one device, and the drivers above it, which are the test: it registers a minidriver, stands in its
 * device's stack, asks for the descriptors, and has two reads under way all the time. As its documentation has it.
 */
#ifndef NT_HIDCLASS_H
#define NT_HIDCLASS_H

#include "hid_items.h"
#include "nt.h"
#include "pv/hid.h"

extern const struct nt_export nt_hid_exports[];
extern const unsigned nt_hid_export_count;

#define NT_HID_REPORT 64
struct nt_hid_report {
    unsigned char data[NT_HID_REPORT];
    unsigned size;
};

bool nt_hid_runs(void); /* it was started, and its descriptors were right */
const struct hid_items *nt_hid_items(void);
const unsigned char *nt_hid_descriptor(unsigned *size);
/* The oldest report that came and was not taken; false: there is none. */
bool nt_hid_take(struct nt_hid_report *report);
unsigned nt_hid_came(void);         /* since it was started */
unsigned nt_hid_reads_out(void);    /* that the minidriver has */
unsigned nt_hid_reads_failed(void); /* since it was started; such a one is not sent again */
void nt_hid_hold(bool holds);       /* reads that are answered are not sent again; false: now they are */
/* Cancels the reads that are out and waits for them; they are sent again. */
void nt_hid_cancel(void);
/* At a stop and a removal it cancels the reads that are out; false: it leaves them to the minidriver. */
extern bool nt_hid_cancels;
extern void (*nt_hid_on_report)(void); /* called after each one that comes, before its read is sent again */
/* Another request, at PASSIVE_LEVEL. `data`: of nt_allocate. */
NTSTATUS nt_hid_request(ULONG code, void *input, void *data, ULONG size, ULONG_PTR *information);
NTSTATUS nt_hid_power(bool on); /* D0 or D3 */

#endif
