/*
 * The service as Windows sees it, and what its rules ask of Windows (service.h). One thread serves; the service manager
 * calls controlled() on another, and the two speak by the events of struct edge.
 *
 * Before Windows takes the bus driver's device away it asks each program that has it open. The service then closes it,
 * and does not open it before a while has passed or an interface has come.
 */
#define UNICODE /* of the names of privileges */
#include <windows.h>
#include <setupapi.h>
#include <dbt.h>
#include "service.h"

#define NAME          L"pvsvc"
#define TO_LEAVE      5000 /* milliseconds that Windows waits for the device to be closed */
#define LINE_LENGTH   128
#define MESSAGE       1 /* pvsvc.rc */
#define DETAIL_LENGTH 600

enum { STOP, LEAVE, COMES, EVENTS };

static struct edge {
    SERVICE_STATUS_HANDLE status;
    HANDLE log;
    HANDLE event[EVENTS]; /* COMES resets itself; LEAVE is reset when the device was closed */
    HANDLE closed;        /* set while the device is not open */
    HANDLE io;            /* of the one read or write that is going on */
    HANDLE device;
    HDEVNOTIFY comes, goes; /* of interfaces that come, and of the open device */
} edge;

static const GUID interface_class = PV_USER_INTERFACE;

/* --- the interface --- */

/* Storage for a name; SetupAPI wants cbSize to be of the structure with a name of one character. */
union detail {
    SP_DEVICE_INTERFACE_DETAIL_DATA_W data;
    WCHAR room[DETAIL_LENGTH];
};

static BOOL find(union detail *detail)
{
    SP_DEVICE_INTERFACE_DATA one = {.cbSize = sizeof(one)};
    HDEVINFO set = SetupDiGetClassDevsW(&interface_class, NULL, NULL, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
    BOOL found;

    if (set == INVALID_HANDLE_VALUE)
        return FALSE;
    detail->data.cbSize = sizeof(detail->data);
    found = SetupDiEnumDeviceInterfaces(set, NULL, &interface_class, 0, &one) &&
            SetupDiGetDeviceInterfaceDetailW(set, &one, &detail->data, sizeof(*detail), NULL, NULL);
    SetupDiDestroyDeviceInfoList(set);
    return found;
}

static void close_device(void *context)
{
    struct edge *edge = context;

    if (edge->goes)
        UnregisterDeviceNotification(edge->goes);
    edge->goes = NULL;
    CloseHandle(edge->device);
    edge->device = INVALID_HANDLE_VALUE;
    ResetEvent(edge->event[LEAVE]);
    SetEvent(edge->closed);
}

static enum pvsvc_end open_device(void *context)
{
    struct edge *edge = context;
    DEV_BROADCAST_HANDLE filter = {.dbch_size = sizeof(filter), .dbch_devicetype = DBT_DEVTYP_HANDLE};
    union detail detail;

    if (!find(&detail))
        return PVSVC_ABSENT;
    edge->device = CreateFileW(detail.data.DevicePath, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                               NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (edge->device == INVALID_HANDLE_VALUE)
        return PVSVC_FAILED;
    ResetEvent(edge->closed);
    filter.dbch_handle = edge->device;
    edge->goes = RegisterDeviceNotificationW((HANDLE)edge->status, &filter, DEVICE_NOTIFY_SERVICE_HANDLE);
    if (edge->goes)
        return PVSVC_DONE;
    close_device(edge);
    return PVSVC_FAILED;
}

/* Ends what was begun with `call`. It is over when this returns: its memory is the caller's. */
static enum pvsvc_end finish(struct edge *edge, OVERLAPPED *call, DWORD *got)
{
    HANDLE events[] = {edge->event[STOP], edge->event[LEAVE], edge->io};
    DWORD which = WaitForMultipleObjects(RTL_NUMBER_OF(events), events, FALSE, INFINITE);
    BOOL done;

    if (which != WAIT_OBJECT_0 + 2)
        CancelIo(edge->device);
    done = GetOverlappedResult(edge->device, call, got, TRUE);
    if (which == WAIT_OBJECT_0)
        return PVSVC_STOP;
    if (which == WAIT_OBJECT_0 + 1)
        return PVSVC_ABSENT;
    return done ? PVSVC_DONE : PVSVC_FAILED;
}

static enum pvsvc_end read_device(void *context, void *buffer, size_t size, size_t *got)
{
    struct edge *edge = context;
    OVERLAPPED call = {.hEvent = edge->io};
    DWORD count = 0;
    enum pvsvc_end end;

    if (!ReadFile(edge->device, buffer, (DWORD)size, NULL, &call) && GetLastError() != ERROR_IO_PENDING)
        return PVSVC_FAILED;
    end = finish(edge, &call, &count);
    *got = count;
    return end;
}

static enum pvsvc_end write_device(void *context, const void *buffer, size_t size)
{
    struct edge *edge = context;
    OVERLAPPED call = {.hEvent = edge->io};
    DWORD count;

    if (!WriteFile(edge->device, buffer, (DWORD)size, NULL, &call) && GetLastError() != ERROR_IO_PENDING)
        return PVSVC_FAILED;
    return finish(edge, &call, &count);
}

static enum pvsvc_end wait_for_device(void *context, uint32_t milliseconds)
{
    struct edge *edge = context;
    HANDLE events[] = {edge->event[STOP], edge->event[COMES]};

    return WaitForMultipleObjects(RTL_NUMBER_OF(events), events, FALSE, milliseconds) == WAIT_OBJECT_0 ? PVSVC_STOP
                                                                                                       : PVSVC_DONE;
}

/* --- what requests want --- */

static BOOL have_privilege(const WCHAR *name)
{
    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1, .Privileges = {{.Attributes = SE_PRIVILEGE_ENABLED}}};
    HANDLE token;
    BOOL had;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return FALSE;
    /* It succeeds, too, when it has given nothing; then the error tells. */
    had = LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid) &&
          AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) && GetLastError() == ERROR_SUCCESS;
    CloseHandle(token);
    return had;
}

/* Programs are told and given Windows' own time, and then ended: nobody may sit before the screen. */
static enum pvsvc_end go_down(void *context, bool restart)
{
    DWORD how = SHUTDOWN_FORCE_OTHERS | SHUTDOWN_FORCE_SELF | (restart ? SHUTDOWN_RESTART : SHUTDOWN_POWEROFF);
    DWORD error;

    (void)context;
    if (!have_privilege(SE_SHUTDOWN_NAME))
        return PVSVC_FAILED;
    error = InitiateShutdownW(NULL, NULL, 0, how,
                              SHTDN_REASON_MAJOR_OTHER | SHTDN_REASON_MINOR_OTHER | SHTDN_REASON_FLAG_PLANNED);
    return error == ERROR_SUCCESS || error == ERROR_SHUTDOWN_IN_PROGRESS ? PVSVC_DONE : PVSVC_FAILED;
}

/* The real-time clock has local time unless Windows was told otherwise. */
static BOOL clock_is_universal(void)
{
    DWORD value = 0, size = sizeof(value);
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\TimeZoneInformation", 0,
                      KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
        return FALSE;
    if (RegQueryValueExW(key, L"RealTimeIsUniversal", NULL, NULL, (BYTE *)&value, &size) != ERROR_SUCCESS)
        value = 0;
    RegCloseKey(key);
    return value == 1;
}

static enum pvsvc_end set_clock(void *context, uint64_t now)
{
    FILETIME stamp = {.dwLowDateTime = (DWORD)now, .dwHighDateTime = (DWORD)(now >> 32)};
    SYSTEMTIME told, universal;

    (void)context;
    if (!FileTimeToSystemTime(&stamp, &told))
        return PVSVC_FAILED;
    universal = told;
    if (!clock_is_universal() && !TzSpecificLocalTimeToSystemTime(NULL, &told, &universal))
        return PVSVC_FAILED;
    return have_privilege(SE_SYSTEMTIME_NAME) && SetSystemTime(&universal) ? PVSVC_DONE : PVSVC_FAILED;
}

/* Lines are ASCII. */
static void log_line(void *context, enum pvsvc_importance importance, const char *line)
{
    struct edge *edge = context;
    WCHAR wide[LINE_LENGTH];
    const WCHAR *strings[] = {wide};
    size_t i;

    for (i = 0; line[i] && i < LINE_LENGTH - 1; i++)
        wide[i] = (WCHAR)line[i];
    wide[i] = 0;
    ReportEventW(edge->log, importance == PVSVC_WARN ? EVENTLOG_WARNING_TYPE : EVENTLOG_INFORMATION_TYPE, 0, MESSAGE,
                 NULL, 1, 0, strings, NULL);
}

static const struct pvsvc_windows windows = {
    .open = open_device,
    .close = close_device,
    .read = read_device,
    .write = write_device,
    .wait = wait_for_device,
    .go_down = go_down,
    .set_clock = set_clock,
    .log = log_line,
};

/* --- the service manager --- */

static void tell_status(DWORD state, DWORD error)
{
    SERVICE_STATUS status = {
        .dwServiceType = SERVICE_WIN32_OWN_PROCESS,
        .dwCurrentState = state,
        .dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0,
        .dwWin32ExitCode = error,
        .dwWaitHint = state == SERVICE_STOP_PENDING ? TO_LEAVE : 0,
    };

    SetServiceStatus(edge.status, &status);
}

/* NO_ERROR lets a device go. */
static void device_event(DWORD type)
{
    if (type == DBT_DEVICEARRIVAL)
        SetEvent(edge.event[COMES]);
    if (type != DBT_DEVICEQUERYREMOVE && type != DBT_DEVICEREMOVEPENDING && type != DBT_DEVICEREMOVECOMPLETE)
        return;
    if (WaitForSingleObject(edge.closed, 0) == WAIT_OBJECT_0)
        return;
    SetEvent(edge.event[LEAVE]);
    WaitForSingleObject(edge.closed, TO_LEAVE);
}

static DWORD WINAPI controlled(DWORD control, DWORD type, void *data, void *context)
{
    (void)data;
    (void)context;
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
        tell_status(SERVICE_STOP_PENDING, NO_ERROR);
        SetEvent(edge.event[STOP]);
        return NO_ERROR;
    case SERVICE_CONTROL_DEVICEEVENT:
        device_event(type);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

static BOOL prepare(void)
{
    DEV_BROADCAST_DEVICEINTERFACE_W filter = {
        .dbcc_size = sizeof(filter), .dbcc_devicetype = DBT_DEVTYP_DEVICEINTERFACE, .dbcc_classguid = interface_class};

    edge.device = INVALID_HANDLE_VALUE;
    edge.log = RegisterEventSourceW(NULL, NAME);
    edge.event[STOP] = CreateEventW(NULL, TRUE, FALSE, NULL);
    edge.event[LEAVE] = CreateEventW(NULL, TRUE, FALSE, NULL);
    edge.event[COMES] = CreateEventW(NULL, FALSE, FALSE, NULL);
    edge.closed = CreateEventW(NULL, TRUE, TRUE, NULL);
    edge.io = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!edge.event[STOP] || !edge.event[LEAVE] || !edge.event[COMES] || !edge.closed || !edge.io)
        return FALSE;
    edge.status = RegisterServiceCtrlHandlerExW(NAME, controlled, NULL);
    if (!edge.status)
        return FALSE;
    edge.comes = RegisterDeviceNotificationW((HANDLE)edge.status, &filter, DEVICE_NOTIFY_SERVICE_HANDLE);
    return edge.comes != NULL;
}

/* What prepare() made ends with the process. */
static void WINAPI serve(DWORD count, WCHAR **arguments)
{
    (void)count;
    (void)arguments;
    if (!prepare()) {
        DWORD error = GetLastError();

        if (edge.status)
            tell_status(SERVICE_STOPPED, error);
        return;
    }
    tell_status(SERVICE_RUNNING, NO_ERROR);
    pvsvc_run(&windows, &edge);
    UnregisterDeviceNotification(edge.comes);
    tell_status(SERVICE_STOPPED, NO_ERROR);
}

/* Not started by the service manager it ends with ERROR_FAILED_SERVICE_CONTROLLER_CONNECT. */
void start(void)
{
    static WCHAR name[] = NAME;
    static const SERVICE_TABLE_ENTRYW table[] = {{name, serve}, {NULL, NULL}};

    ExitProcess(StartServiceCtrlDispatcherW(table) ? NO_ERROR : GetLastError());
}
