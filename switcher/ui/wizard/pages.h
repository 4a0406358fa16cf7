/*
 * The contract between the wizard's frame and its pages. A page is made anew from the model each time it is shown, and
 * writes each change into the model at once, so that no answer is ever only in a widget.
 */
#ifndef RH_WIZARD_PAGES_H
#define RH_WIZARD_PAGES_H

#include "../page_parts.h"
#include "files.h"
#include "wizard_view.h"

GtkWidget *page_source_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_file_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_guest_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_name_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_memory_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_disk_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_processors_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_firmware_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_windows_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_network_fill(struct wizard_view *view, GtkBox *box);
GtkWidget *page_summary_fill(struct wizard_view *view, GtkBox *box);

/* ---- what pages ask of the frame ---- */

struct wizard *wizard_view_wizard(struct wizard_view *view);

/* An answer has changed: what is to be said of it is said. */
void wizard_view_changed(struct wizard_view *view);

/* The page is to be made anew, for what it offers has changed. */
void wizard_view_refill(struct wizard_view *view);

/* From the summary to another page. */
void wizard_view_change(struct wizard_view *view, enum wizard_page page);

/* The files of the source, NULL while they are looked for; and once more. */
GPtrArray *wizard_view_files(struct wizard_view *view);
void wizard_view_find_files(struct wizard_view *view);

/* Looks at the file that was chosen. */
void wizard_view_look(struct wizard_view *view);

#endif
