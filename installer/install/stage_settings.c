/*
 * Settings, as files in the state's etc/, which lies over the slot's. Where one is a line of a file of the system
 * (passwd and so on), the whole file is there with the line: what a newer system has in its own is not seen then.
 */
#include "install.h"
#include "passphrase.h"
#include "tool.h"
#include "trouble.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERSON_ID 1000 /* the first that Debian gives people */

static void plan(struct install *install, GString *text)
{
    const struct answers *a = install->answers;
    g_string_append_printf(text, "%s on %s; keyboard %s, language %s, time zone %s, policy %s", a->person, a->host_name,
                           a->keyboard, a->language, a->time_zone, a->policy);
}

/* A new file of etc/ with this text. */
static gboolean put(const char *state, const char *name, int mode, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

static gboolean put(const char *state, const char *name, int mode, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *path = g_build_filename(state, "etc", name, NULL);
    return file_put(path, text, strlen(text), mode, error);
}

static gboolean put_machine(const struct answers *a, const char *state, GError **error)
{
    return put(state, "hostname", 0644, error, "%s\n", a->host_name) &&
           put(state, "hosts", 0644, error, "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost\n",
               a->host_name) &&
           put(state, "locale.conf", 0644, error, "LANG=%s\n", a->language) &&
           put(state, "default/locale", 0644, error, "LANG=%s\n", a->language) &&
           put(state, "default/keyboard", 0644, error, "XKBMODEL=pc105\nXKBLAYOUT=%s\n", a->keyboard) &&
           put(state, "timezone", 0644, error, "%s\n", a->time_zone);
}

static gboolean put_time_zone(const struct answers *a, const char *state, GError **error)
{
    g_autofree char *path = g_build_filename(state, "etc/localtime", NULL);
    g_autofree char *target = g_build_filename("/usr/share/zoneinfo", a->time_zone, NULL);
    return symlink(target, path) == 0 || trouble_errno(error, "%s cannot be made", path);
}

/* ---- the person ---- */

/* The slot's file and one line more; `name` must not be in it. */
static gboolean put_with_line(const char *slot, const char *state, const char *file, int mode, const char *name,
                              const char *line, GError **error)
{
    g_autofree char *path = g_build_filename(slot, "etc", file, NULL), *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gsize length = strlen(name);
    for (char **known = lines; *known; known++)
        if (strncmp(*known, name, length) == 0 && (*known)[length] == ':')
            return trouble(error, "The person cannot be \"%s\": the system has that name in its %s.", name, file);
    return put(state, file, mode, error, "%s%s%s\n", text, *text && !g_str_has_suffix(text, "\n") ? "\n" : "", line);
}

static gboolean put_person(const struct answers *a, const char *slot, const char *state, GError **error)
{
    g_autofree char *hash = a->password_hash ? g_strdup(a->password_hash) : password_hash_new(a->password);
    if (!hash)
        return trouble(error, "The password cannot be made unreadable.");
    g_autofree char *passwd =
        g_strdup_printf("%s:x:%d:%d::/home/%s:/bin/bash", a->person, PERSON_ID, PERSON_ID, a->person);
    g_autofree char *group = g_strdup_printf("%s:x:%d:", a->person, PERSON_ID);
    g_autofree char *shadow = g_strdup_printf("%s:%s:%" G_GINT64_FORMAT ":0:99999:7:::", a->person, hash,
                                              g_get_real_time() / G_TIME_SPAN_DAY);
    return put_with_line(slot, state, "passwd", 0644, a->person, passwd, error) &&
           put_with_line(slot, state, "group", 0644, a->person, group, error) &&
           put_with_line(slot, state, "shadow", 0600, a->person, shadow, error);
}

/* ---- the rest ---- */

static gboolean put_policy(const struct install *install, const char *state, GError **error)
{
    g_autofree char *source = g_strdup_printf("%s/%s.policy", install->policies, install->answers->policy),
                    *text = NULL;
    gsize length = 0;
    g_autofree char *path = g_build_filename(state, "etc/roundhouse/start.policy", NULL);
    return g_file_get_contents(source, &text, &length, error) && file_put(path, text, length, 0644, error);
}

/* The pool opens by a key that lies in the state, which has opened before: the initrd looks for it there. */
static gboolean put_pool_key(struct install *install, const char *state, GError **error)
{
    g_autofree char *path = g_build_filename(state, "etc/roundhouse/pool.key", NULL);
    return !install->answers->encrypt || file_put(path, install->pool_key, sizeof(install->pool_key), 0400, error);
}

/* What the initrd lets a passphrase be typed with: the kernel's keymap of the same keyboard, beside the boot files. */
static gboolean put_keymap(struct install *install, GError **error)
{
    g_autofree char *keymap = tool_output(error, "ckbcomp", "-layout", install->answers->keyboard, NULL);
    char *boot = keymap ? install_mount(install, ROLE_BOOT, "ext4", FALSE, error) : NULL;
    if (!boot)
        return FALSE;
    g_autofree char *path = g_build_filename(boot, "keymap", NULL);
    gboolean good = file_put(path, keymap, strlen(keymap), 0644, error);
    return install_unmount(boot, error) && good;
}

static gboolean put_all(struct install *install, const char *slot, const char *state, GError **error)
{
    g_autofree char *etc = g_build_filename(state, "etc", NULL), *var = g_build_filename(state, "var", NULL);
    if (g_mkdir(etc, 0755) < 0 || g_mkdir(var, 0755) < 0)
        return trouble_errno(error, "The settings cannot be written");
    return put_machine(install->answers, state, error) && put_time_zone(install->answers, state, error) &&
           install_step(install, 400, error) && put_person(install->answers, slot, state, error) &&
           install_step(install, 700, error) && put_policy(install, state, error) &&
           put_pool_key(install, state, error) && folder_sync(etc, error);
}

static gboolean perform(struct install *install, GError **error)
{
    char *state = install_mount(install, ROLE_STATE, "ext4", FALSE, error), *slot = NULL;
    if (!state)
        return FALSE;
    /* The source's name says nothing; the kernel finds out. */
    slot = install_mount(install, ROLE_A, "squashfs", TRUE, NULL);
    if (!slot)
        slot = install_mount(install, ROLE_A, "ext4", TRUE, error);
    gboolean good = slot && put_all(install, slot, state, error);
    if (slot)
        good = install_unmount(slot, error) && good;
    good = install_unmount(state, error) && good;
    return good && install_step(install, 900, error) && put_keymap(install, error);
}

const struct stage stage_settings = {
    .name = "settings",
    .title = "Write the settings",
    .plan = plan,
    .perform = perform,
};
