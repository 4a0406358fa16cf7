/*
 * Who the service is and who the switcher's user is, for tests that cannot be several users: ROUNDHOUSE_FAKE_OWNER is
 * the service's own uid, ROUNDHOUSE_FAKE_UI that of rh-ui.
 */
#include <glib.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwnam(const char *name);

static uid_t number(const char *variable, uid_t otherwise)
{
    const char *text = g_getenv(variable);
    return text ? (uid_t)g_ascii_strtoull(text, NULL, 10) : otherwise;
}

uid_t __wrap_geteuid(void)
{
    return number("ROUNDHOUSE_FAKE_OWNER", __real_geteuid());
}

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd user;
    user.pw_uid = number("ROUNDHOUSE_FAKE_UI", (uid_t)-1);
    return strcmp(name, "rh-ui") == 0 && g_getenv("ROUNDHOUSE_FAKE_UI") ? &user : NULL;
}
