/*
 * A kernel with NT's names in a Linux process, for tests that run drivers' shipped bytes. Processors are tokens: a
 * thread runs kernel code only while it holds one, so that with one processor every run is the same, and with several
 * the threads race. Time is virtual: it passes when every processor is idle. Whatever a driver must not do ends the
 * process by nt_bug().
 *
 * Compiled for the host by the flags that pv-drivers/meson.build gives, which lay out NT's structures as drivers have
 * them.
 */
#ifndef NT_NT_H
#define NT_NT_H

#include <stdbool.h>
#include <stdio.h>
#define DECLSPEC_STORPORT
#include "pv/nt.h"
#include "pv/storport.h"

#define NT_ABI __attribute__((ms_abi))
#define DIRQL  8

/* A rule is broken, by the driver or, if a text says so, by the test: says it and ends the process with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void nt_bug(const char *format, ...);
/* Lines of the drivers' DbgPrint are kept; does one hold the text? */
bool nt_said(const char *text);

/* boot: the number of processors, 1 to 8. The calling thread holds the first one, at PASSIVE_LEVEL, and is the test. */
void nt_boot(unsigned processors);
/* Ends all threads of the kernel; a driver that is loaded, memory, device objects or a raised IRQL are a bug. */
void nt_shutdown(void);

/* Waits until nothing is left to do but what waits for time; passes time. */
void nt_settle(void);
void nt_pass_time(unsigned milliseconds);

/* --- memory.c: the machine's memory, physical pages of which no two neighbours follow each other --- */
#define NT_PAGE          4096u
#define NT_WINDOW_FRAME  0xf2000u /* the platform device's memory, of NT_WINDOW_PAGES */
#define NT_WINDOW_PAGES  64u
#define NT_SPECIAL_FRAME 0xfeff8u /* pages that the toolstack made, of NT_SPECIAL_PAGES */
#define NT_SPECIAL_PAGES 8u
/* A page as the other side sees it, always readable and writable; NULL: there is no such frame. */
void *nt_frame(uint64_t frame);
/* Pool of the kernel's own making: a test's requests and buffers. On whole pages with `whole`, else at the end of one.
 */
void *nt_allocate(size_t size, ULONG tag);
void nt_free(void *memory);
bool nt_allocation_fails(void); /* counts one allocation, and says whether it is to fail */
/* The number-th allocation from now, counted from 1, fails; 0: none. How many were asked for since. */
void nt_fail_allocation(unsigned number);
unsigned nt_allocations(void);
unsigned nt_live_blocks(void);
void *nt_image_pages(size_t size); /* pages for a driver's image; protection is the loader's */
void nt_image_free(void *pages, size_t size);
void nt_memory_boot(void);
void nt_memory_shutdown(void);

/* --- loader.c, rules.c --- */
struct nt_export {
    const char *module, *name;
    void *function;
    signed char lowest, highest; /* IRQL */
};
struct nt_driver;
/* Loads the file, calls its DriverEntry with the service's name; NULL if that failed, with its status. */
struct nt_driver *nt_load(const char *file, const char *service, NTSTATUS *status);
void nt_unload(struct nt_driver *driver);
DRIVER_OBJECT *nt_driver_object(struct nt_driver *driver);
const struct nt_export *nt_find_export(const char *module, const char *name);
extern const struct nt_export nt_kernel_exports[], nt_storport_exports[];
extern const unsigned nt_kernel_export_count, nt_storport_export_count;

/* --- processor.c --- */
KIRQL nt_irql(void);
void nt_set_irql(KIRQL irql);                        /* as a move to CR8 */
void nt_before_call(const struct nt_export *export); /* every call of a driver's import */
void nt_changed(void);                               /* something that a processor may wait for is so now */
uint64_t nt_time(void);                              /* in 100 ns */
void nt_connect_interrupt(struct _KINTERRUPT *interrupt);
/* Of the machine, outside the kernel; both are called without locks. */
struct nt_machine {
    bool (*line)(void); /* is the platform device's interrupt line up? */
    bool (*work)(void); /* devices' own work, one piece; false: none */
    bool (*idle)(void); /* is there none? */
    uint32_t (*in)(uint16_t port, unsigned size);
    void (*out)(uint16_t port, unsigned size, uint32_t value);
    void (*cpuid)(uint32_t leaf, uint32_t registers[4]);
    void (*wrmsr)(uint32_t msr, uint64_t value);
};
extern struct nt_machine nt_machine;
void nt_trap_init(void);
void nt_trap_thread(void); /* for each thread that runs kernel code */
void nt_trap_thread_end(void);
void nt_processors_boot(unsigned processors);
void nt_processors_shutdown(void);

struct _KINTERRUPT {
    PKSERVICE_ROUTINE routine;
    PVOID context;
    KSPIN_LOCK lock;
};

/* --- io.c, registry.c: also what the plug and play manager would do --- */
PDEVICE_OBJECT nt_root_device(void); /* a device of a bus driver that says yes to all */
void nt_delete_root_device(PDEVICE_OBJECT device);
unsigned nt_device_objects(void);
void nt_dereference(PDEVICE_OBJECT device); /* gives back what ObfReferenceObject took */
PIRP NTAPI IoAllocateIrp(CCHAR stack_size, BOOLEAN charge);
VOID NTAPI IoFreeIrp(PIRP irp);
NTSTATUS nt_add_device(struct nt_driver *driver, PDEVICE_OBJECT physical);
/* Sends the request of IRP_MJ_PNP to the top of the device's stack and waits. `stack` has its parameters. */
NTSTATUS nt_pnp(PDEVICE_OBJECT device, UCHAR minor, const IO_STACK_LOCATION *stack, ULONG_PTR *information);
NTSTATUS nt_power(PDEVICE_OBJECT device, UCHAR minor);
NTSTATUS nt_start_platform(PDEVICE_OBJECT device); /* with the window and the interrupt as resources */
/* The children that the bus reports, each with a reference less than it came with; `most` of them at most. */
unsigned nt_bus_relations(PDEVICE_OBJECT bus, PDEVICE_OBJECT *children, unsigned most);
unsigned nt_invalidations(void); /* of device relations, since boot */
PIRP nt_new_irp(PDEVICE_OBJECT top, const IO_STACK_LOCATION *stack);
/* In two steps: the first says what the driver returned, which the second is told, and frees the request. */
NTSTATUS nt_start_irp(PDEVICE_OBJECT top, PIRP irp, KEVENT *done);
NTSTATUS nt_wait_irp(PIRP irp, NTSTATUS returned, ULONG_PTR *information);
bool nt_interface_is_on(const GUID *class); /* of any device */
void nt_reuse_irp(PIRP irp);                /* as new */
void nt_cancel_irp(PIRP irp);               /* which is not freed meanwhile; it may be completed already */
/* Gives it to the top of the stack, waits, and frees it. Its status must be the one that its driver returned. */
NTSTATUS nt_send_irp(PDEVICE_OBJECT top, PIRP irp, ULONG_PTR *information);
void nt_registry_set(const char *key, const char *name, ULONG type, const void *value, unsigned size);
void nt_registry_number(const char *key, const char *name, ULONG value);
void nt_registry_text(const char *key, const char *name, const char *value);
bool nt_registry_get_number(const char *key, const char *name, ULONG *value);
void nt_registry_clear(void);

/* --- storport.c: Storport for one adapter --- */
struct nt_srb {
    SCSI_REQUEST_BLOCK srb;
    UCHAR sense[32];
    KEVENT done;
    bool pending;
    struct pv_scatter_gather_list *list;
};
bool nt_storport_runs(void);
unsigned nt_storport_changes(void); /* BusChangeDetected, since it started */
/* A request to a unit of a target; `data` is of nt_allocate. Starts it, at DISPATCH_LEVEL as Storport does. */
struct nt_srb *nt_srb_start(unsigned target, const UCHAR *command, unsigned command_size, void *data, unsigned size);
/* Waits, and frees it; its status is the answer, and in `sense` the key and code, in `left` the length it came back
 * with. */
UCHAR nt_srb_wait(struct nt_srb *srb, UCHAR sense[2], ULONG *left);
bool nt_srb_is_pending(const struct nt_srb *srb);

#endif
