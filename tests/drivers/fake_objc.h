/* What the doubles of the Objective-C runtime and of Metal share: the objects that the one sends messages to and the other
 * gives out. */
#ifndef FAKE_OBJC_H
#define FAKE_OBJC_H

#define FAKE_OBJECTS 256

enum fake_kind { FAKE_NOTHING, FAKE_DEVICE, FAKE_LIST, FAKE_STRING, FAKE_QUEUE, FAKE_BUFFER };

struct fake_object {
    enum fake_kind kind;
    const char *line;
    unsigned long long size;
    struct fake_object *items[32];
};

extern struct fake_object fake_objects[FAKE_OBJECTS];
struct fake_object *fake_object(enum fake_kind kind);

#endif
