/* The shipped pvblk.sys on the shipped pvbus.sys, against back ends that check every request. */
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "blkback.h"
#include "machine.h"

#define SECTORS 4096u

static const char *pvblk_file;

static void boot(unsigned processors)
{
    machine_boot(processors, &(struct hv_options){.unplug_version = 1});
    nt_registry_number(SERVICES "pvblk", "Start", 0);
    blkback_boot();
}

static void start(struct system *system)
{
    system_load(system, pvblk_file, "pvblk");
}

static void run(struct system *system)
{
    start(system);
    system_run(system);
}

static void end(struct system *system)
{
    system_end(system, blkback_end);
}

static struct blkback *plain_disk(void)
{
    return blkback_add((struct blkback){.number = 51712, .sectors = SECTORS, .flush = true, .discard = true});
}

/* READ(16), WRITE(16): blocks of the disk's own size. */
static struct nt_srb *begin(unsigned target, bool write, uint64_t block, uint32_t count, void *data, unsigned size)
{
    UCHAR command[16] = {write ? 0x8a : 0x88};

    for (unsigned i = 0; i < 8; i++)
        command[2 + i] = (UCHAR)(block >> (56 - 8 * i));
    for (unsigned i = 0; i < 4; i++)
        command[10 + i] = (UCHAR)(count >> (24 - 8 * i));
    return nt_srb_start(target, command, 16, data, size);
}

static UCHAR transfer(unsigned target, bool write, uint64_t block, uint32_t count, void *data, unsigned size)
{
    return nt_srb_wait(begin(target, write, block, count, data, size), NULL, NULL);
}

/* --- */

static void connects_and_leaves(void)
{
    struct system system;
    struct blkback *disk;
    char state[8] = "";

    boot(1);
    disk = plain_disk();
    run(&system);
    CHECK(disk->ring);
    CHECK(store_get("device/vbd/51712/state", state, sizeof(state)) && !strcmp(state, "4"));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK(!disk->ring);
    CHECK(store_get("device/vbd/51712/state", state, sizeof(state)) && !strcmp(state, "6"));
    CHECK_EQUAL(0, hv_grants());
    end(&system);
}

/* Every sector of the disk is read, in pieces of many sizes that begin anywhere in a page; then written, and looked at.
 */
static void reads_and_writes(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *room = NULL;

    boot(1);
    disk = plain_disk();
    run(&system);
    room = nt_allocate(NT_PAGE * 200, 0);
    for (uint64_t sector = 0, count; sector < SECTORS; sector += count) {
        unsigned char *data = room + sector % 8 * 512;

        count = 1 + sector * 5 % 700;
        if (count > SECTORS - sector)
            count = SECTORS - sector;
        CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, sector, (uint32_t)count, data, (unsigned)count * 512));
        CHECK(!memcmp(data, disk->image + sector * 512, count * 512), "sector %u", (unsigned)sector);
        for (uint64_t i = 0; i < count * 512; i++)
            data[i] = (unsigned char)(i * 3 + sector);
        CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, true, sector, (uint32_t)count, data, (unsigned)count * 512));
        CHECK(!memcmp(data, disk->image + sector * 512, count * 512), "sector %u", (unsigned)sector);
    }
    CHECK_EQUAL(1, hv_grants()); /* the ring */
    nt_free(room);
    end(&system);
}

static void reads_disks_of_large_sectors(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *data;

    boot(1);
    disk = blkback_add((struct blkback){.number = 768, .sectors = 800, .sector_size = 4096});
    run(&system);
    data = nt_allocate(NT_PAGE * 3, 0);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, 97, 3, data, 3 * 4096));
    CHECK(!memcmp(data, disk->image + 97 * 4096, 3 * 4096));
    CHECK_EQUAL(SRB_STATUS_ERROR, transfer(0, false, 98, 3, data, 3 * 4096));
    nt_free(data);
    end(&system);
}

static void serves_several_disks(void)
{
    struct system system;
    struct blkback *disks[17];
    unsigned char *data;

    boot(1);
    for (unsigned i = 0; i < 17; i++) {
        disks[i] = blkback_add((struct blkback){.number = 51712 + 16 * i, .sectors = 64 + i});
        disks[i]->image[0] = (unsigned char)i;
    }
    run(&system);
    data = nt_allocate(512, 0);
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(i, false, 0, 1, data, 512));
        CHECK_EQUAL(i, data[0]);
    }
    CHECK_EQUAL(SRB_STATUS_NO_DEVICE, transfer(16, false, 0, 1, data, 512));
    CHECK(nt_said("there is no place for disk 51968"));
    nt_free(data);
    end(&system);
}

static void leaves_out_a_disk_that_does_not_connect(void)
{
    struct system system;
    unsigned char *data;

    boot(1);
    blkback_add((struct blkback){.number = 1, .sectors = 64, .silent = true});
    blkback_add((struct blkback){.number = 2, .sectors = 64});
    run(&system);
    CHECK(nt_said("disk 1 does not connect"));
    data = nt_allocate(512, 0);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, 0, 1, data, 512));
    CHECK_EQUAL(SRB_STATUS_NO_DEVICE, transfer(1, false, 0, 1, data, 512));
    nt_free(data);
    end(&system);
}

/* More than the ring holds, answered backwards. */
static void queues_more_than_the_ring_holds(void)
{
    struct system system;
    struct blkback *disk;
    struct nt_srb *srbs[60];
    unsigned char *data;

    boot(1);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(60 * NT_PAGE, 0);
    disk->holds = true;
    for (unsigned i = 0; i < 60; i++)
        srbs[i] = begin(0, false, i * 8, 8, data + i * NT_PAGE, NT_PAGE);
    nt_settle();
    CHECK_EQUAL(32, disk->held_count);
    for (unsigned i = 0; i < 60; i++)
        CHECK(nt_srb_is_pending(srbs[i]));
    blkback_release(disk);
    for (unsigned i = 0; i < 60; i++)
        CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(srbs[i], NULL, NULL));
    CHECK(!memcmp(data, disk->image, 60 * NT_PAGE));
    nt_free(data);
    end(&system);
}

static void tells_of_errors(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *data;
    UCHAR sense[2];

    boot(1);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(NT_PAGE * 40, 0);
    disk->fails = 1; /* of four parts */
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(begin(0, false, 0, 320, data, 320 * 512), sense, NULL));
    CHECK_EQUAL(3, sense[0]);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, 0, 320, data, 320 * 512));
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(begin(0, false, SECTORS - 1, 2, data, 1024), sense, NULL));
    CHECK_EQUAL(5, sense[0]);
    CHECK_EQUAL(0x21, sense[1]);
    CHECK_EQUAL(SRB_STATUS_ERROR, transfer(0, false, ~0ull, 2, data, 1024));
    CHECK_EQUAL(SRB_STATUS_INVALID_REQUEST, transfer(0, false, 0, 2, data, 512));
    CHECK_EQUAL(SRB_STATUS_INVALID_REQUEST, transfer(0, false, 0, 1, data + 100, 512));
    CHECK_EQUAL(0, disk->writes);
    CHECK_EQUAL(1, hv_grants());
    nt_free(data);
    end(&system);
}

static void protects_what_is_read_only(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *data;
    UCHAR sense[2], mode[6] = {0x1a, 0, 0x3f, 0, 24};

    boot(1);
    disk = blkback_add((struct blkback){.number = 1, .sectors = 64, .read_only = true});
    run(&system);
    data = nt_allocate(512, 0);
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(begin(0, true, 0, 1, data, 512), sense, NULL));
    CHECK_EQUAL(7, sense[0]);
    CHECK_EQUAL(0, disk->writes);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(nt_srb_start(0, mode, 6, data, 24), NULL, NULL));
    CHECK_EQUAL(0x80, data[2]);
    nt_free(data);
    end(&system);
}

static void flushes_and_discards(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *data;
    UCHAR sync[10] = {0x35}, unmap[10] = {0x42};

    boot(1);
    disk = plain_disk();
    run(&system);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(nt_srb_start(0, sync, 10, NULL, 0), NULL, NULL));
    CHECK_EQUAL(1, disk->flushes);
    data = nt_allocate(24, 0);
    memset(data, 0, 24);
    data[3] = 16;
    data[15] = 10;
    data[19] = 5;
    CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(nt_srb_start(0, unmap, 10, data, 24), NULL, NULL));
    CHECK_EQUAL(1, disk->discards);
    for (unsigned i = 10 * 512; i < 15 * 512; i++)
        CHECK_EQUAL(0, disk->image[i]);
    CHECK(disk->image[15 * 512]);
    data[8] = 1;
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(nt_srb_start(0, unmap, 10, data, 24), NULL, NULL));
    CHECK_EQUAL(1, disk->discards);
    nt_free(data);
    end(&system);
}

/* --- what a disk says of itself --- */

static const struct {
    const char *what;
    UCHAR command[16];
    unsigned size; /* of the buffer */
    UCHAR status, sense;
    unsigned left, at, value;
} answers[] = {
    {"TEST UNIT READY", {0x00}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"INQUIRY", {0x12, 0, 0, 0, 36}, 36, SRB_STATUS_SUCCESS, 0, 36, 2, 5},
    {"INQUIRY, a small buffer", {0x12, 0, 0, 0, 36}, 8, SRB_STATUS_SUCCESS, 0, 8, 2, 5},
    {"INQUIRY, a small length", {0x12, 0, 0, 0, 5}, 36, SRB_STATUS_DATA_OVERRUN, 0, 5, 4, 31},
    {"INQUIRY, a page without its bit", {0x12, 0, 0x80, 0, 36}, 36, SRB_STATUS_ERROR, 5, 0, 0, 0},
    {"the list of pages", {0x12, 1, 0, 0, 9}, 9, SRB_STATUS_SUCCESS, 0, 9, 8, 0xb2},
    {"the serial number", {0x12, 1, 0x80, 0, 9}, 9, SRB_STATUS_SUCCESS, 0, 9, 8, '2'},
    {"the designator", {0x12, 1, 0x83, 0, 21}, 21, SRB_STATUS_SUCCESS, 0, 21, 7, 13},
    {"block limits", {0x12, 1, 0xb0, 0, 64}, 64, SRB_STATUS_SUCCESS, 0, 64, 27, 1},
    {"thin provisioning", {0x12, 1, 0xb2, 0, 8}, 8, SRB_STATUS_SUCCESS, 0, 8, 5, 0x80},
    {"a page that is not there", {0x12, 1, 0x77, 0, 64}, 64, SRB_STATUS_ERROR, 5, 0, 0, 0},
    {"REQUEST SENSE", {0x03, 0, 0, 0, 18}, 18, SRB_STATUS_SUCCESS, 0, 18, 0, 0x70},
    {"READ CAPACITY (10)", {0x25}, 8, SRB_STATUS_SUCCESS, 0, 8, 2, 0x0f},
    {"READ CAPACITY (16)", {0x9e, 0x10, [13] = 32}, 32, SRB_STATUS_SUCCESS, 0, 32, 14, 0x80},
    {"another action of 9e", {0x9e, 0x11, [13] = 32}, 32, SRB_STATUS_ERROR, 5, 0, 0, 0},
    {"MODE SENSE (6)", {0x1a, 0, 0x08, 0, 24}, 24, SRB_STATUS_SUCCESS, 0, 24, 6, 4},
    {"MODE SENSE (10)", {0x5a, 0, 0x3f, [8] = 28}, 28, SRB_STATUS_SUCCESS, 0, 28, 10, 4},
    {"a mode page that is not there", {0x1a, 0, 0x01, 0, 24}, 24, SRB_STATUS_ERROR, 5, 0, 0, 0},
    {"REPORT LUNS", {0xa0, [9] = 16}, 16, SRB_STATUS_SUCCESS, 0, 16, 3, 8},
    {"START STOP UNIT", {0x1b}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"RESERVE (6)", {0x16}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"RELEASE (6)", {0x17}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"VERIFY (10)", {0x2f, [8] = 1}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"VERIFY (10), beyond", {0x2f, [3] = 1}, 0, SRB_STATUS_ERROR, 5, 0, 0, 0},
    {"VERIFY (16)", {0x8f, [13] = 1}, 0, SRB_STATUS_SUCCESS, 0, 0, 0, 0},
    {"READ (6)", {0x08, 0, 0, 9, 1}, 512, SRB_STATUS_SUCCESS, 0, 512, 0, 63},
    {"READ (10)", {0x28, [5] = 9, [8] = 1}, 512, SRB_STATUS_SUCCESS, 0, 512, 0, 63},
    {"READ (12)", {0xa8, [5] = 9, [9] = 1}, 512, SRB_STATUS_SUCCESS, 0, 512, 0, 63},
    {"FORMAT UNIT", {0x04}, 0, SRB_STATUS_ERROR, 5, 0, 0, 0},
};

static void answers_commands(void)
{
    struct system system;

    boot(1);
    plain_disk();
    run(&system);
    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        unsigned size = answers[i].size;
        unsigned char *data = size ? nt_allocate(size, 0) : NULL;
        UCHAR sense[2];
        ULONG left;
        struct nt_srb *srb = nt_srb_start(0, answers[i].command, 16, data, size);

        CHECK_EQUAL(answers[i].status, nt_srb_wait(srb, sense, &left), "%s", answers[i].what);
        CHECK_EQUAL(answers[i].sense, sense[0], "%s", answers[i].what);
        CHECK_EQUAL(answers[i].left, left, "%s", answers[i].what);
        if (answers[i].left)
            CHECK_EQUAL(answers[i].value, data[answers[i].at], "%s", answers[i].what);
        if (data)
            nt_free(data);
    }
    end(&system);
}

static void follows_a_new_size(void)
{
    struct system system;
    struct blkback *disk;
    unsigned char *data;

    boot(1);
    disk = plain_disk();
    run(&system);
    nt_settle();
    CHECK_EQUAL(0, nt_storport_changes());
    data = nt_allocate(512, 0);
    CHECK_EQUAL(SRB_STATUS_ERROR, transfer(0, false, SECTORS, 1, data, 512));
    blkback_resize(disk, 2 * SECTORS);
    nt_settle();
    CHECK_EQUAL(1, nt_storport_changes());
    CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, SECTORS, 1, data, 512));
    nt_free(data);
    end(&system);
}

/* --- a back end that does not keep to the protocol --- */

static void breaks(void (*fault)(struct blkback *disk))
{
    struct system system;
    struct blkback *disk;
    struct nt_srb *srb;
    unsigned char *data;

    boot(1);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(NT_PAGE * 20, 0);
    disk->holds = true;
    srb = begin(0, false, 0, 160, data, 20 * NT_PAGE);
    nt_settle();
    fault(disk);
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(srb, NULL, NULL));
    CHECK_EQUAL(SRB_STATUS_ERROR, transfer(0, false, 0, 1, data, 512));
    CHECK_EQUAL(1, hv_grants());
    disk->held_count = 0;
    nt_free(data);
    end(&system);
}

static void answer_nothing(struct blkback *disk)
{
    blkback_answer(disk, 31);
}

static void answer_outside(struct blkback *disk)
{
    blkback_answer(disk, 0x4141414141414141);
}

static void survives_an_answer_to_nothing(void)
{
    breaks(answer_nothing);
}

static void survives_an_answer_outside(void)
{
    breaks(answer_outside);
}

static void survives_an_index_that_ran_away(void)
{
    breaks(blkback_run_away);
}

/* The ring and its answers are noise: whatever the driver does of it, it is no fault and nothing is left. */
static void survives_noise(void)
{
    for (unsigned round = 0; round < 40; round++) {
        struct system system;
        struct blkback *disk;
        struct nt_srb *srbs[4];
        unsigned char *data;
        uint64_t seed = round + 1;

        boot(1);
        disk = plain_disk();
        run(&system);
        data = nt_allocate(NT_PAGE * 4, 0);
        disk->holds = true;
        for (unsigned i = 0; i < 4; i++)
            srbs[i] = begin(0, i & 1, i, 8, data + i * NT_PAGE, NT_PAGE);
        nt_settle();
        for (unsigned i = 0; i < NT_PAGE / 8; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            if (i >= 8 || seed >> 62 == 0)
                ((uint64_t *)disk->ring)[i] = i >= 8 && seed >> 63 ? seed >> 33 & 31 : seed >> 60 & 7;
        }
        hv_notify(disk->port);
        nt_settle();
        disk->held_count = 0;
        CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_STOP_DEVICE, NULL, NULL));
        for (unsigned i = 0; i < 4; i++)
            nt_srb_wait(srbs[i], NULL, NULL);
        nt_free(data);
        end(&system);
    }
}

/* The back end may use the pages still; but nobody waits for it. */
static void fails_what_is_under_way_when_the_bus_goes(void)
{
    struct system system;
    struct blkback *disk;
    struct nt_srb *srb;
    unsigned char *data;

    boot(1);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(NT_PAGE, 0);
    disk->holds = true;
    srb = begin(0, false, 0, 8, data, NT_PAGE);
    nt_settle();
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_SURPRISE_REMOVAL, NULL, NULL));
    CHECK_EQUAL(SRB_STATUS_ERROR, nt_srb_wait(srb, NULL, NULL));
    CHECK_EQUAL(SRB_STATUS_ERROR, transfer(0, false, 0, 1, data, 512));
    disk->held_count = 0;
    nt_free(data);
    end(&system);
}

/* --- resume, memory, races, unplug --- */

static void goes_on_after_a_resume(void)
{
    struct system system;
    struct blkback *disk;
    struct nt_srb *srbs[40];
    unsigned char *data;

    boot(1);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(40 * NT_PAGE, 0);
    disk->holds = true;
    for (unsigned i = 0; i < 40; i++)
        srbs[i] = begin(0, false, i * 8, 8, data + i * NT_PAGE, NT_PAGE);
    nt_settle();
    disk->holds = false;
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(1, hv_suspends());
    for (unsigned i = 0; i < 40; i++)
        CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(srbs[i], NULL, NULL));
    CHECK(!memcmp(data, disk->image, 40 * NT_PAGE));
    CHECK_EQUAL(40, disk->reads);
    nt_free(data);
    end(&system);
}

static void survives_failed_allocations(void)
{
    unsigned number = 0, asked;

    do {
        struct system system;

        number++;
        boot(1);
        plain_disk();
        start(&system);
        nt_fail_allocation(number);
        system_start(&system);
        asked = nt_allocations();
        nt_fail_allocation(0);
        end(&system);
    } while (number <= asked);
    CHECK(number > 4, "%u", number);
}

static void races(void)
{
    struct system system;
    struct blkback *disk;
    struct nt_srb *srbs[64];
    unsigned char *data;

    boot(4);
    disk = plain_disk();
    run(&system);
    data = nt_allocate(64 * NT_PAGE, 0);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 64; i++)
            srbs[i] = begin(0, round & 1, (i + round) * 8, 8, data + i * NT_PAGE, NT_PAGE);
        for (unsigned i = 0; i < 64; i++)
            CHECK_EQUAL(SRB_STATUS_SUCCESS, nt_srb_wait(srbs[i], NULL, NULL));
        CHECK(!memcmp(data, disk->image + round * NT_PAGE, 64 * NT_PAGE));
    }
    nt_free(data);
    end(&system);
}

static void arms_the_unplug_once_it_has_read(void)
{
    struct system system;
    unsigned char *data;
    ULONG armed = 0;

    boot(1);
    plain_disk();
    run(&system);
    nt_settle();
    CHECK(!nt_registry_get_number(PVBUS, "UnplugDisks", &armed));
    data = nt_allocate(512, 0);
    CHECK_EQUAL(SRB_STATUS_SUCCESS, transfer(0, false, 0, 1, data, 512));
    nt_settle();
    CHECK(nt_registry_get_number(PVBUS, "UnplugDisks", &armed) && armed == 1);
    nt_free(data);
    end(&system);
}

static const struct unit_test tests[] = {
    {"connects and leaves", connects_and_leaves},
    {"reads and writes", reads_and_writes},
    {"reads disks of large sectors", reads_disks_of_large_sectors},
    {"serves several disks", serves_several_disks},
    {"leaves out a disk that does not connect", leaves_out_a_disk_that_does_not_connect},
    {"queues more than the ring holds", queues_more_than_the_ring_holds},
    {"tells of errors", tells_of_errors},
    {"protects what is read only", protects_what_is_read_only},
    {"flushes and discards", flushes_and_discards},
    {"answers commands", answers_commands},
    {"follows a new size", follows_a_new_size},
    {"survives an answer to nothing", survives_an_answer_to_nothing},
    {"survives an answer outside", survives_an_answer_outside},
    {"survives an index that ran away", survives_an_index_that_ran_away},
    {"survives noise", survives_noise},
    {"fails what is under way when the bus goes", fails_what_is_under_way_when_the_bus_goes},
    {"goes on after a resume", goes_on_after_a_resume},
    {"survives failed allocations", survives_failed_allocations},
    {"races", races},
    {"arms the unplug once it has read", arms_the_unplug_once_it_has_read},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvblk_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
