/* The error domain and its names on the bus. */
#include "errors.h"

#include <gio/gio.h>

static const GDBusErrorEntry names[] = {
    {RH_ERROR_NOT_FOUND, "org.roundhouse.Error.NotFound"},
    {RH_ERROR_WRONG_STATE, "org.roundhouse.Error.WrongState"},
    {RH_ERROR_NO_MEMORY, "org.roundhouse.Error.NoMemory"},
    {RH_ERROR_BAD_CONFIG, "org.roundhouse.Error.BadConfig"},
    {RH_ERROR_DISPLAY, "org.roundhouse.Error.Display"},
    {RH_ERROR_TOOLSTACK, "org.roundhouse.Error.Toolstack"},
    {RH_ERROR_NOT_ALLOWED, "org.roundhouse.Error.NotAllowed"},
    {RH_ERROR_NAME_IN_USE, "org.roundhouse.Error.NameInUse"},
    {RH_ERROR_SLOT_IN_USE, "org.roundhouse.Error.SlotInUse"},
    {RH_ERROR_STORAGE, "org.roundhouse.Error.Storage"},
    {RH_ERROR_NO_SPACE, "org.roundhouse.Error.NoSpace"},
    {RH_ERROR_IN_USE, "org.roundhouse.Error.InUse"},
    {RH_ERROR_EXISTS, "org.roundhouse.Error.Exists"},
    {RH_ERROR_POLICY, "org.roundhouse.Error.DeniedByPolicy"},
    {RH_ERROR_NOT_AGREED, "org.roundhouse.Error.NotAgreed"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == RH_ERROR_COUNT);

GQuark rh_error_quark(void)
{
    static gsize quark;
    g_dbus_error_register_error_domain("roundhouse-error", &quark, names, G_N_ELEMENTS(names));
    return (GQuark)quark;
}
