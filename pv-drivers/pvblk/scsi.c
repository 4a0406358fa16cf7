/* The disk as SCSI's commands see it: which there are stands in one table, by the numbers of SPC-3 and SBC-2. */
#include "block.h"

enum command {
    TEST_UNIT_READY = 0x00,
    REQUEST_SENSE = 0x03,
    READ_6 = 0x08,
    WRITE_6 = 0x0a,
    INQUIRY = 0x12,
    RESERVE_6 = 0x16,
    RELEASE_6 = 0x17,
    MODE_SENSE_6 = 0x1a,
    START_STOP_UNIT = 0x1b,
    PREVENT_REMOVAL = 0x1e,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    VERIFY_10 = 0x2f,
    SYNCHRONIZE_CACHE_10 = 0x35,
    UNMAP = 0x42,
    MODE_SENSE_10 = 0x5a,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    VERIFY_16 = 0x8f,
    SYNCHRONIZE_CACHE_16 = 0x91,
    READ_CAPACITY_16 = 0x9e,
    REPORT_LUNS = 0xa0,
    READ_12 = 0xa8,
    WRITE_12 = 0xaa,
};

/* Statuses of SAM-3. */
#define GOOD            0x00
#define CHECK_CONDITION 0x02

#define SENSE_SIZE  18
#define ANSWER_SIZE 96

#define INVALID_COMMAND 0x20
#define OUT_OF_RANGE    0x21
#define INVALID_FIELD   0x24
#define WRITE_PROTECTED 0x27

static ULONGLONG big_endian(const UCHAR *bytes, ULONG count)
{
    ULONGLONG value = 0;

    for (ULONG i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put_big_endian(UCHAR *bytes, ULONG count, ULONGLONG value)
{
    while (count) {
        bytes[--count] = (UCHAR)value;
        value >>= 8;
    }
}

void scsi_complete(struct adapter *adapter, SCSI_REQUEST_BLOCK *srb, UCHAR status)
{
    srb->SrbStatus = status;
    StorPortNotification(RequestComplete, adapter->extension, srb);
}

void scsi_sense(SCSI_REQUEST_BLOCK *srb, UCHAR key, UCHAR code)
{
    UCHAR *sense = srb->SenseInfoBuffer;

    srb->SrbStatus = SRB_STATUS_ERROR;
    srb->ScsiStatus = CHECK_CONDITION;
    srb->DataTransferLength = 0;
    if (!sense || srb->SenseInfoBufferLength < SENSE_SIZE)
        return;
    memset(sense, 0, SENSE_SIZE);
    sense[0] = 0x70;
    sense[2] = key;
    sense[7] = SENSE_SIZE - 8;
    sense[12] = code;
    srb->SenseInfoBufferLength = SENSE_SIZE;
    srb->SrbStatus = SRB_STATUS_ERROR | SRB_STATUS_AUTOSENSE_VALID;
}

static BOOLEAN refuse(SCSI_REQUEST_BLOCK *srb, UCHAR code)
{
    scsi_sense(srb, SENSE_ILLEGAL_REQUEST, code);
    return TRUE;
}

static BOOLEAN good(SCSI_REQUEST_BLOCK *srb)
{
    srb->SrbStatus = SRB_STATUS_SUCCESS;
    srb->ScsiStatus = GOOD;
    return TRUE;
}

/* As much of an answer as the buffer and the command's allocation length take. */
static BOOLEAN answer(SCSI_REQUEST_BLOCK *srb, const UCHAR *data, ULONG size, ULONGLONG wanted)
{
    if (size > wanted)
        size = (ULONG)wanted;
    if (size > srb->DataTransferLength)
        size = srb->DataTransferLength;
    memcpy(srb->DataBuffer, data, size);
    srb->SrbStatus = size < srb->DataTransferLength ? SRB_STATUS_DATA_OVERRUN : SRB_STATUS_SUCCESS;
    srb->ScsiStatus = GOOD;
    srb->DataTransferLength = size;
    return TRUE;
}

static struct request *new_request(SCSI_REQUEST_BLOCK *srb, UCHAR operation, ULONGLONG sector)
{
    struct request *request = srb->SrbExtension;

    memset(request, 0, sizeof(*request));
    request->srb = srb;
    request->operation = operation;
    request->sector = sector;
    return request;
}

/* --- commands of the data --- */

static BOOLEAN in_range(const struct disk *disk, ULONGLONG block, ULONGLONG count)
{
    ULONGLONG blocks = disk->sectors / (disk->sector_size / SECTOR);

    return block <= blocks && count <= blocks - block;
}

/* Pages are granted whole, and sectors of them named: an address between two of them cannot be. */
static BOOLEAN is_aligned(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    const struct pv_scatter_gather_list *list = StorPortGetScatterGatherList(disk->adapter->extension, srb);

    for (ULONG i = 0; list && i < list->count; i++)
        if (list->elements[i].address.QuadPart % SECTOR || list->elements[i].length % SECTOR ||
            !list->elements[i].length)
            return FALSE;
    return list && list->count;
}

static BOOLEAN transfer(struct disk *disk, SCSI_REQUEST_BLOCK *srb, ULONGLONG block, ULONGLONG count, BOOLEAN write)
{
    ULONGLONG bytes = count * disk->sector_size;

    if (!in_range(disk, block, count))
        return refuse(srb, OUT_OF_RANGE);
    if (write && disk->read_only) {
        scsi_sense(srb, SENSE_DATA_PROTECT, WRITE_PROTECTED);
        return TRUE;
    }
    if (!count)
        return good(srb);
    if (bytes != srb->DataTransferLength || !is_aligned(disk, srb)) {
        srb->SrbStatus = SRB_STATUS_INVALID_REQUEST;
        return TRUE;
    }
    ring_submit(disk, new_request(srb, write ? BLKIF_OP_WRITE : BLKIF_OP_READ, block * (disk->sector_size / SECTOR)));
    return FALSE;
}

static BOOLEAN is_write(const SCSI_REQUEST_BLOCK *srb)
{
    return srb->Cdb[0] == WRITE_6 || srb->Cdb[0] == WRITE_10 || srb->Cdb[0] == WRITE_12 || srb->Cdb[0] == WRITE_16;
}

static BOOLEAN transfer_6(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    ULONG count = srb->Cdb[4] ? srb->Cdb[4] : 256;

    return transfer(disk, srb, big_endian(srb->Cdb + 1, 3) & 0x1fffff, count, is_write(srb));
}

static BOOLEAN transfer_10(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    return transfer(disk, srb, big_endian(srb->Cdb + 2, 4), big_endian(srb->Cdb + 7, 2), is_write(srb));
}

static BOOLEAN transfer_12(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    return transfer(disk, srb, big_endian(srb->Cdb + 2, 4), big_endian(srb->Cdb + 6, 4), is_write(srb));
}

static BOOLEAN transfer_16(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    return transfer(disk, srb, big_endian(srb->Cdb + 2, 8), big_endian(srb->Cdb + 10, 4), is_write(srb));
}

static BOOLEAN flush(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    if (!disk->can_flush)
        return good(srb); /* the back end says that it holds nothing back */
    ring_submit(disk, new_request(srb, BLKIF_OP_FLUSH_DISKCACHE, 0));
    return FALSE;
}

/* One range in a list, as the block limits page says. */
static BOOLEAN unmap(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    const UCHAR *list = srb->DataBuffer;
    ULONG scale = disk->sector_size / SECTOR;
    ULONGLONG block, count;
    struct request *request;

    if (!disk->can_discard)
        return refuse(srb, INVALID_COMMAND);
    if (disk->read_only) {
        scsi_sense(srb, SENSE_DATA_PROTECT, WRITE_PROTECTED);
        return TRUE;
    }
    if (srb->DataTransferLength < 8 || big_endian(list + 2, 2) == 0)
        return good(srb);
    if (srb->DataTransferLength < 24 || big_endian(list + 2, 2) != 16)
        return refuse(srb, INVALID_FIELD);
    block = big_endian(list + 8, 8);
    count = big_endian(list + 16, 4);
    if (!in_range(disk, block, count))
        return refuse(srb, OUT_OF_RANGE);
    if (!count)
        return good(srb);
    request = new_request(srb, BLKIF_OP_DISCARD, block * scale);
    request->count = count * scale;
    ring_submit(disk, request);
    return FALSE;
}

static BOOLEAN verify_10(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    if (!in_range(disk, big_endian(srb->Cdb + 2, 4), big_endian(srb->Cdb + 7, 2)))
        return refuse(srb, OUT_OF_RANGE);
    return srb->Cdb[1] & 2 ? refuse(srb, INVALID_FIELD) : good(srb);
}

static BOOLEAN verify_16(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    if (!in_range(disk, big_endian(srb->Cdb + 2, 8), big_endian(srb->Cdb + 10, 4)))
        return refuse(srb, OUT_OF_RANGE);
    return srb->Cdb[1] & 2 ? refuse(srb, INVALID_FIELD) : good(srb);
}

/* --- commands of the unit --- */

/* Pages of vital product data: the list of them, the serial number, a designator, block limits, thin provisioning. */
static BOOLEAN inquire_page(struct disk *disk, SCSI_REQUEST_BLOCK *srb, UCHAR page)
{
    static const UCHAR pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb2};
    UCHAR data[ANSWER_SIZE] = {0, page};
    ULONG size = 0, serial = (ULONG)strlen(disk->serial);

    switch (page) {
    case 0x00:
        size = sizeof(pages);
        memcpy(data + 4, pages, size);
        break;
    case 0x80:
        size = serial;
        memcpy(data + 4, disk->serial, size);
        break;
    case 0x83: /* ASCII, by vendor */
        data[4] = 2;
        data[5] = 1;
        data[7] = (UCHAR)(8 + serial);
        memcpy(data + 8, "RNDHOUSE", 8);
        memcpy(data + 16, disk->serial, serial);
        size = 12 + serial;
        break;
    case 0xb0:
        size = 0x3c;
        if (disk->can_discard) {
            put_big_endian(data + 20, 4, 0xffffffff);
            put_big_endian(data + 24, 4, 1);
        }
        break;
    case 0xb2:
        size = 4;
        data[5] = disk->can_discard ? 0x80 : 0;
        break;
    default:
        return refuse(srb, INVALID_FIELD);
    }
    put_big_endian(data + 2, 2, size);
    return answer(srb, data, 4 + size, big_endian(srb->Cdb + 3, 2));
}

static BOOLEAN inquire(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[36] = {0};

    if (srb->Cdb[1] & 1)
        return inquire_page(disk, srb, srb->Cdb[2]);
    if (srb->Cdb[2])
        return refuse(srb, INVALID_FIELD);
    data[2] = 5; /* SPC-3 */
    data[3] = 2;
    data[4] = sizeof(data) - 5;
    data[7] = 2; /* requests may be queued */
    memcpy(data + 8, "RNDHOUSEPV DISK         0001", 28);
    return answer(srb, data, sizeof(data), big_endian(srb->Cdb + 3, 2));
}

static ULONGLONG last_block(const struct disk *disk)
{
    return disk->sectors / (disk->sector_size / SECTOR) - 1;
}

static BOOLEAN capacity_10(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[8];
    ULONGLONG last = last_block(disk);

    put_big_endian(data, 4, last > 0xffffffff ? 0xffffffff : last);
    put_big_endian(data + 4, 4, disk->sector_size);
    return answer(srb, data, sizeof(data), sizeof(data));
}

static BOOLEAN capacity_16(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[32] = {0};

    if ((srb->Cdb[1] & 0x1f) != 0x10)
        return refuse(srb, INVALID_FIELD);
    put_big_endian(data, 8, last_block(disk));
    put_big_endian(data + 8, 4, disk->sector_size);
    data[14] = disk->can_discard ? 0x80 : 0;
    return answer(srb, data, sizeof(data), big_endian(srb->Cdb + 10, 4));
}

/* The caching page, alone or as one of all. */
static ULONG mode_page(const struct disk *disk, UCHAR page, UCHAR *data)
{
    if (page != 0x08 && page != 0x3f)
        return 0;
    memset(data, 0, 20);
    data[0] = 0x08;
    data[1] = 18;
    data[2] = disk->can_flush ? 4 : 0; /* a cache that writes later */
    return 20;
}

static BOOLEAN mode_6(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[24] = {0};
    ULONG size = mode_page(disk, srb->Cdb[2] & 0x3f, data + 4);

    if (!size)
        return refuse(srb, INVALID_FIELD);
    data[0] = (UCHAR)(3 + size);
    data[2] = disk->read_only ? 0x80 : 0;
    return answer(srb, data, 4 + size, srb->Cdb[4]);
}

static BOOLEAN mode_10(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[28] = {0};
    ULONG size = mode_page(disk, srb->Cdb[2] & 0x3f, data + 8);

    if (!size)
        return refuse(srb, INVALID_FIELD);
    put_big_endian(data, 2, 6 + size);
    data[3] = disk->read_only ? 0x80 : 0;
    return answer(srb, data, 8 + size, big_endian(srb->Cdb + 7, 2));
}

static BOOLEAN report_luns(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[16] = {0};

    UNREFERENCED_PARAMETER(disk);
    data[3] = 8;
    return answer(srb, data, sizeof(data), big_endian(srb->Cdb + 6, 4));
}

/* What went wrong was told with what went wrong. */
static BOOLEAN request_sense(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UCHAR data[SENSE_SIZE] = {0x70, 0, 0, 0, 0, 0, 0, SENSE_SIZE - 8};

    UNREFERENCED_PARAMETER(disk);
    return answer(srb, data, sizeof(data), srb->Cdb[4]);
}

static BOOLEAN nothing_to_do(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    UNREFERENCED_PARAMETER(disk);
    return good(srb);
}

static const struct {
    UCHAR code;
    BOOLEAN answers; /* needs a buffer of at least so much */
    BOOLEAN (*function)(struct disk *disk, SCSI_REQUEST_BLOCK *srb);
} commands[] = {
    {TEST_UNIT_READY, 0, nothing_to_do},
    {REQUEST_SENSE, 1, request_sense},
    {READ_6, 0, transfer_6},
    {WRITE_6, 0, transfer_6},
    {INQUIRY, 1, inquire},
    {RESERVE_6, 0, nothing_to_do},
    {RELEASE_6, 0, nothing_to_do},
    {MODE_SENSE_6, 1, mode_6},
    {START_STOP_UNIT, 0, nothing_to_do},
    {PREVENT_REMOVAL, 0, nothing_to_do},
    {READ_CAPACITY_10, 1, capacity_10},
    {READ_10, 0, transfer_10},
    {WRITE_10, 0, transfer_10},
    {VERIFY_10, 0, verify_10},
    {SYNCHRONIZE_CACHE_10, 0, flush},
    {UNMAP, 0, unmap},
    {MODE_SENSE_10, 1, mode_10},
    {READ_16, 0, transfer_16},
    {WRITE_16, 0, transfer_16},
    {VERIFY_16, 0, verify_16},
    {SYNCHRONIZE_CACHE_16, 0, flush},
    {READ_CAPACITY_16, 1, capacity_16},
    {REPORT_LUNS, 1, report_luns},
    {READ_12, 0, transfer_12},
    {WRITE_12, 0, transfer_12},
};

static BOOLEAN execute(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(commands); i++)
        if (commands[i].code == srb->Cdb[0]) {
            if (commands[i].answers && !srb->DataBuffer)
                srb->DataTransferLength = 0;
            return commands[i].function(disk, srb);
        }
    return refuse(srb, INVALID_COMMAND);
}

BOOLEAN scsi_start(struct disk *disk, SCSI_REQUEST_BLOCK *srb)
{
    switch (srb->Function) {
    case SRB_FUNCTION_EXECUTE_SCSI:
        return execute(disk, srb);
    case SRB_FUNCTION_FLUSH:
    case SRB_FUNCTION_SHUTDOWN:
        return flush(disk, srb);
    case SRB_FUNCTION_RESET_BUS:
    case SRB_FUNCTION_RESET_DEVICE:
    case SRB_FUNCTION_RESET_LOGICAL_UNIT:
    case SRB_FUNCTION_PNP:
    case SRB_FUNCTION_POWER:
        return good(srb);
    default:
        srb->SrbStatus = SRB_STATUS_INVALID_REQUEST;
        return TRUE;
    }
}
