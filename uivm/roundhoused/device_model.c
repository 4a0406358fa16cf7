/* Found by who owns the folders in /proc. */
#include "device_model.h"

#include <glib.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>

#define BASE_USER "xen-qemuuser-range-base"

static void kill_if_owned(const char *name, uid_t owner)
{
    struct stat status;
    guint64 pid;
    g_autofree char *path = g_strdup_printf("/proc/%s", name);
    if (!g_ascii_string_to_unsigned(name, 10, 2, G_MAXINT32, &pid, NULL) || stat(path, &status) < 0 ||
        status.st_uid != owner)
        return;
    g_message("ending process %s of an ended guest's device model", name);
    kill((pid_t)pid, SIGKILL);
}

void device_model_kill(int domid)
{
    const struct passwd *base = domid > 0 ? getpwnam(BASE_USER) : NULL;
    g_autoptr(GDir) dir = base ? g_dir_open("/proc", 0, NULL) : NULL;
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        kill_if_owned(name, base->pw_uid + (uid_t)domid);
}
