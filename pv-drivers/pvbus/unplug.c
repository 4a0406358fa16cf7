/*
 * Emulated disks and network cards that have a twin here are taken off the machine before anybody looks for them, which
 * is when this driver is loaded, and only when that leaves the machine able to boot:
 *  - the twin's driver armed it in the boot before, after it had served its device (unplug_arm);
 *  - the mark is taken away before it is acted on. This early the registry's file may not be written yet: then the mark
 * is off the disk only once the machine has its disks, and a boot that does not get that far needs the boot option
 * below;
 *  - the twin's driver is still one that is loaded in time;
 *  - nobody asked for safe mode, or for none of this by the boot option PVBUS:NOUNPLUG;
 *  - the device model speaks the protocol of docs/misc/hvm-emulated-unplug.pandoc and does not refuse this driver.
 */
#include "bus.h"

#define SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"
#define CONTROL  L"\\Registry\\Machine\\System\\CurrentControlSet\\Control"

#define PORT_MAGIC   ((PUSHORT)0x10)
#define PORT_LONG    ((PULONG)0x10)
#define PORT_VERSION ((PUCHAR)0x12)
#define PORT_PRODUCT ((PUSHORT)0x12)
#define MAGIC        0x49d2
#define PRODUCT      0xffff /* of the document's list: experimental */
#define BUILD        1

static const WCHAR own[] = SERVICES L"pvbus\\Parameters";

static const struct kind {
    ULONG what;
    USHORT mask;      /* of the protocol */
    ULONG last_start; /* the latest the twin's driver may be loaded: disks are needed for boot itself */
    const WCHAR *value, *service;
} kinds[] = {
    {PV_UNPLUG_DISKS, 1, SERVICE_BOOT_START, L"UnplugDisks", SERVICES L"pvblk"},
    {PV_UNPLUG_NETWORKS, 2, SERVICE_DEMAND_START, L"UnplugNetworks", SERVICES L"pvnet"},
};

/* Drivers of others for the same devices. */
static const WCHAR *const foreign[] = {SERVICES L"xenbus", SERVICES L"xen", SERVICES L"xenvbd", SERVICES L"xenevtchn"};

static BOOLEAN starts_at_most(const WCHAR *service, ULONG last)
{
    ULONG start;

    return registry_number(service, L"Start", &start) && start <= last;
}

BOOLEAN foreign_driver_found(void)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(foreign); i++)
        if (starts_at_most(foreign[i], SERVICE_DEMAND_START))
            return TRUE;
    return FALSE;
}

static BOOLEAN contains(const WCHAR *text, ULONG length, const WCHAR *word)
{
    ULONG word_length = (ULONG)wcslen(word);

    for (ULONG i = 0; i + word_length <= length; i++)
        if (!memcmp(text + i, word, word_length * sizeof(WCHAR)))
            return TRUE;
    return FALSE;
}

/* What the boot loader was told; a text too long to be read forbids, too. */
static BOOLEAN forbidden_at_boot_menu(void)
{
    WCHAR options[256];
    ULONG size = sizeof(options);
    NTSTATUS status = registry_get(CONTROL, L"SystemStartOptions", REG_SZ, options, &size);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return FALSE;
    return !NT_SUCCESS(status) || contains(options, size / sizeof(WCHAR), L"PVBUS:NOUNPLUG") ||
           contains(options, size / sizeof(WCHAR), L"SAFEBOOT") || contains(options, size / sizeof(WCHAR), L"MINIMAL");
}

/* Is it armed? It is not any more afterwards. */
static BOOLEAN disarm(const struct kind *kind)
{
    ULONG armed;

    if (!registry_number(own, kind->value, &armed))
        return FALSE;
    return NT_SUCCESS(registry_delete(own, kind->value)) && armed == 1;
}

static void unplug(USHORT mask)
{
    if (READ_PORT_USHORT(PORT_MAGIC) != MAGIC)
        return;
    if (READ_PORT_UCHAR(PORT_VERSION) >= 1) {
        WRITE_PORT_USHORT(PORT_PRODUCT, PRODUCT);
        WRITE_PORT_ULONG(PORT_LONG, BUILD);
        if (READ_PORT_USHORT(PORT_MAGIC) != MAGIC) {
            LOG("the device model refuses this driver: nothing is unplugged");
            return;
        }
    }
    WRITE_PORT_USHORT(PORT_MAGIC, mask);
}

void unplug_at_boot(void)
{
    BOOLEAN forbidden = forbidden_at_boot_menu() || foreign_driver_found();
    USHORT mask = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(kinds); i++)
        if (disarm(&kinds[i]) && starts_at_most(kinds[i].service, kinds[i].last_start))
            mask |= kinds[i].mask;
    if (mask && !forbidden)
        unplug(mask);
}

NTSTATUS unplug_arm(ULONG what)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(kinds); i++)
        if (kinds[i].what == what) {
            if (!starts_at_most(kinds[i].service, kinds[i].last_start))
                return STATUS_INVALID_DEVICE_STATE;
            return registry_set_number(own, kinds[i].value, 1);
        }
    return STATUS_INVALID_PARAMETER;
}
