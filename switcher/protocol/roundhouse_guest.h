// What the manager, the seat and the interface say of a guest in the same terms.
#pragma once

// The words are those of the bus (org.roundhouse.Guest1).
enum guest_state {
    GUEST_OFF,
    GUEST_STARTING,
    GUEST_RUNNING,
    GUEST_PAUSED,
    GUEST_STOPPING,
    GUEST_UNRESPONSIVE, // asked to shut down, and has not
    GUEST_SUSPENDING,   // stands still while it is saved
    GUEST_SUSPENDED,    // saved on the disk; it goes on from there when it is started
    GUEST_CRASHED,
    GUEST_STATE_COUNT
};

static inline const char *guest_state_name(enum guest_state state)
{
    static const char *const names[GUEST_STATE_COUNT] = {
        [GUEST_OFF] = "off",
        [GUEST_STARTING] = "starting",
        [GUEST_RUNNING] = "running",
        [GUEST_PAUSED] = "paused",
        [GUEST_STOPPING] = "stopping",
        [GUEST_CRASHED] = "crashed",
        [GUEST_UNRESPONSIVE] = "unresponsive",
        [GUEST_SUSPENDING] = "suspending",
        [GUEST_SUSPENDED] = "suspended",
    };
    return names[state];
}

// What a person must be able to see of a guest whatever it draws; a set.
enum guest_sign {
    GUEST_SIGN_PAUSED = 1,     // it does not run
    GUEST_SIGN_MICROPHONE = 2, // it hears
    GUEST_SIGN_CAMERA = 4,     // it sees
    GUEST_SIGN_NETWORK = 8,    // it is connected to others
    GUEST_SIGNS = 15,
};

// Where its picture comes from.
enum guest_display {
    GUEST_DISPLAY_NONE,    // neither picture nor keyboard, but a slot and a name in the switcher
    GUEST_DISPLAY_FBIF,    // xen-fbfront: /dev/fb0 in the guest
    GUEST_DISPLAY_DISPLIF, // drm_xen_front: /dev/dri/card0 in the guest
    GUEST_DISPLAY_VGA,     // QEMU's graphics card, keyboard and pointer; of a guest with a QEMU alone, and its default
};

// What is heard of it while something else is on screen; on screen it is heard, unless it has no sound at all.
enum guest_sound {
    GUEST_SOUND_MUTED,  // nothing
    GUEST_SOUND_DUCKED, // quiet
    GUEST_SOUND_KEPT,   // all
    GUEST_SOUND_NONE,   // it has no sound card
};
