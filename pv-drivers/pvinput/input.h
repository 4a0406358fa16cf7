/*
 * pvinput: a HID minidriver on pvbus's device VKBD, over kbdif. The back end is believed nothing: its events are read
 * out of the ring once, change what is down and where the pointer is, and reports are made of that alone.
 *
 * The ring is the queue: an event is taken only when the reports of the one before are read, and there is a read to
 * answer. What is down when the back end goes is released.
 *
 * keys.c knows keys, report.c reports and their descriptor, ring.c the ring and xenstore, reads.c HIDCLASS's reads,
 * driver.c the rest of HIDCLASS.
 */
#ifndef PVINPUT_INPUT_H
#define PVINPUT_INPUT_H

#include "pv/front.h"
#include "pv/hid.h"
#include "pv/irp_queue.h"
#include "pv/nt.h"
#include "pv/xen.h"

#define PVINPUT_TAG ((ULONG)0x70696e70) /* "pnip" */

#define LOG(format, ...) DbgPrint("pvinput: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

/* Numbers of reports; each is a collection of its own. */
enum report { REPORT_KEYBOARD = 1, REPORT_MEDIA, REPORT_RELATIVE, REPORT_ABSOLUTE, REPORT_TOUCH, REPORT_END };
#define REPORT_BIT(report) (1u << (report))
#define DESCRIPTOR_ROOM    512

#define MOST_CONTACTS 10
#define MEDIA_SLOTS   2
#define POSITION_MOST 0x7fff /* of a report, and of raw positions */

struct contact {
    BOOLEAN down, tell; /* tell: it is part of the frame that the reports are under way for */
    BOOLEAN changed;    /* since the last frame */
    USHORT x, y;
};

/* All is under the device's lock. */
struct input {
    ULONG offers;        /* REPORT_BIT of those that the descriptor has */
    ULONG contacts;      /* so many fingers at once; 0: no touch */
    BOOLEAN absolute;    /* of the connection: buttons go with the absolute pointer */
    ULONG width, height; /* positions are below; 0: raw */
    ULONG touch_width, touch_height;
    ULONG due;                 /* REPORT_BIT of reports that are to be read */
    UCHAR down[256 / 8];       /* usages of the keyboard's page */
    USHORT media[MEDIA_SLOTS]; /* usages of the consumer's page that are down; 0: none */
    UCHAR buttons;
    BOOLEAN buttons_absolute; /* which pointer's report has them */
    SHORT dx, dy;             /* movement that is to be told */
    USHORT x, y;              /* the absolute pointer's */
    signed char wheel;
    struct contact fingers[MOST_CONTACTS];
    UCHAR frame; /* contacts of the frame; 0: that is said already */
};

struct device {
    PDEVICE_OBJECT functional;
    struct front front;
    BOOLEAN started;
    HID_DESCRIPTOR header;
    ULONG descriptor_size;
    UCHAR descriptor[DESCRIPTOR_ROOM];
    struct shared_ring shared;
    KDPC dpc; /* reads_go_on */

    KSPIN_LOCK lock; /* of what follows */
    struct input input;
    struct xenkbd_page *ring; /* NULL: there is nothing to be read */
    ULONG consumed;
    struct irp_queue reads; /* requests of HIDCLASS that wait for a report */
    BOOLEAN pumping, closed;
    BOOLEAN tired; /* a turn ended early, and goes on in the DPC alone */
};

/* keys.c. FALSE: Windows is not to have that key. */
enum key_page { PAGE_KEYBOARD, PAGE_MEDIA, PAGE_BUTTON };
BOOLEAN key_find(ULONG linux_code, enum key_page *page, USHORT *usage);

/* report.c */
ULONG report_descriptor(struct input *input, UCHAR *descriptor); /* its bytes, of the reports in offers */
ULONG report_longest(const struct input *input);                 /* bytes, of those in offers */
void report_apply(struct input *input, const union xenkbd_in_event *event);
void report_release_all(struct input *input);
/* The next report that is due, of which there is one; its bytes. */
ULONG report_take(struct input *input, UCHAR *report);

/* ring.c */
extern const struct front_ops ring_front;
BOOLEAN ring_apply_next(struct device *device); /* under the lock; FALSE: there is no event */
void ring_read_offers(struct device *device);   /* what the back end can do: what the descriptor will have */

/* reads.c */
NTSTATUS reads_add(struct device *device, PIRP irp);
void reads_pump(struct device *device); /* DISPATCH_LEVEL at most; without the lock */
VOID NTAPI reads_go_on(PKDPC dpc, PVOID device, PVOID first, PVOID second); /* the DPC's */
void reads_open(struct device *device);
void reads_close(struct device *device); /* those that wait fail, and all that come */

#endif
