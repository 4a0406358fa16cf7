/*
 * A guest's settings while somebody changes them: a row for each that a definition can have (guest_setting.h), what the
 * guest has, what has been typed, and what is wrong with that. Nothing that was typed is lost when the guest's own
 * change, or when a change is refused. Without GTK; main thread only.
 */
#ifndef RH_SETTINGS_FORM_H
#define RH_SETTINGS_FORM_H

#include "guest_setting.h"

struct settings_form;

struct settings_form *settings_form_new(void);
void settings_form_free(struct settings_form *form);

/* What the guest has, a{sv} of GetSettings. Settings that the table does not know are left alone. */
void settings_form_take(struct settings_form *form, GVariant *settings);

guint settings_form_count(const struct settings_form *form);
const struct guest_setting *settings_form_setting(const struct settings_form *form, guint row);
const char *settings_form_text(const struct settings_form *form, guint row);
guint settings_form_find(const struct settings_form *form, const char *key); /* its row; the count: there is none */

/* Whether a guest of the type that is chosen can have it. */
gboolean settings_form_offers(const struct settings_form *form, guint row);

/* Somebody has typed or chosen this; without white space around it. */
void settings_form_set(struct settings_form *form, guint row, const char *text);

/* Back to what the guest has. */
void settings_form_revert(struct settings_form *form);

gboolean settings_form_edited(const struct settings_form *form);

/* What is wrong with a row, as a sentence; NULL: nothing. The caller frees it. */
char *settings_form_problem(const struct settings_form *form, guint row);

/* The first row that something is wrong with; the count: there is none. */
guint settings_form_wrong(const struct settings_form *form);

/*
 * What SetSettings is to be asked for, a{sv} of texts, floating; NULL: nothing but the name has changed. The name is
 * changed by Rename; NULL: it has not changed.
 */
GVariant *settings_form_changes(const struct settings_form *form);
const char *settings_form_new_name(const struct settings_form *form);

/* roundhoused has taken the changes, or the new name: nothing is edited until it tells them in its own words. */
void settings_form_saved(struct settings_form *form);
void settings_form_renamed(struct settings_form *form);

/*
 * roundhoused has refused: where its sentence begins with a setting's name, the rest is that row's problem until it is
 * changed, and this is its row. The count: it is about none of them.
 */
guint settings_form_refuse(struct settings_form *form, const char *sentence);

#endif
