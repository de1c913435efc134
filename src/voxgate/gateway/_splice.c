/* `Leg.splice` and `Leg.take_in` for what nearly every read of a call is: whole text messages, recorded, that go on
   unseen; and `Leg.receive_judged` for nearly every read of a mediated one: whole messages with sound, of which its stages
   have said in advance how they go on.

   They do the same to the same objects, whose slots they read and write in place, and leave everything else, before
   anything has changed, to the Python that they stand for: `Leg.splice` and `Leg.receive_judged` before bytes were
   received, `Leg.spliced` and `Leg.received` after.
   Between two messages of hundreds of calls the interpreter's own code and data are no longer in the processor's cache;
   that, not the work, is what a relayed message costs in Python (docs/decisions/0016). */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "_sockets.h"
#include "_sound.h"

/* What `recording.spool.ENTRY` packs: five numbers of these sizes and a kind, without padding, little-endian. */
enum { ENTRY_BYTES = 4 + 4 + 8 + 8 + 1 + 4 };

static Py_ssize_t record_bytes, chunk_bytes;

/* Where the slots of a class lie in its objects. */
static struct {
    PyTypeObject *type;
    Py_ssize_t log, follower, transport, peer, kind, watched, received_bytes, take, glance;
} leg_;
static struct {
    PyTypeObject *type;
    Py_ssize_t plain, remaining, largest_message, messages, ended;
} follower_;
static struct {
    PyTypeObject *type;
    Py_ssize_t spool, number, offset, origin_ns, gaps;
} log_;
static struct {
    PyTypeObject *type;
    Py_ssize_t view, end, fill, full, armed;
} spool_;

static struct {
    PyTypeObject *type;
    Py_ssize_t decoder, stopped, held, table, count;
} glance_;
static struct {
    PyTypeObject *type;
    Py_ssize_t buffer, opcode;
} decoder_;

/* `FrameFollower.feed`, where it only meets whole text messages: one more for each that begins in the bytes, and how much
   of the last is still to come. False, and no numbers to keep, where there is anything else. */
static int only_text(const unsigned char *bytes, Py_ssize_t size, long long largest, long long *remaining,
                     long long *messages) {
    long long at = *remaining;
    while (at < size - LONGEST_HEADER) {
        if (bytes[at] != WHOLE_TEXT) return 0;
        int second = bytes[at + 1];
        long long length = second & 0x7F, payload = at + 2;
        if (length == 126) {
            length = bytes[at + 2] << 8 | bytes[at + 3];
            payload = at + 4;
        } else if (length == 127) {
            return 0;
        }
        if (length > largest) return 0;
        ++*messages;
        at = payload + length + (second & 0x80 ? 4 : 0);
    }
    *remaining = at - size;
    return at >= size;
}

static PyObject *left_to_python(PyObject *leg, PyObject *view, Py_ssize_t at, Py_ssize_t size) {
    PyObject *data = PySequence_GetSlice(view, at, at + size);
    return data == NULL ? NULL : PyObject_CallMethod(leg, "spliced", "N", data);
}

/* `WireLog.commit` */
static int commit(PyObject *log, PyObject *spool, unsigned char *entry, long long end, long long kind, Py_ssize_t size) {
    long long number, fill, offset, origin_ns;
    if (number_in(log, log_.number, &number) || number_in(spool, spool_.fill, &fill) ||
        number_in(log, log_.offset, &offset) || number_in(log, log_.origin_ns, &origin_ns))
        return -1;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t t_ns = (uint64_t)((long long)now.tv_sec * 1000000000LL + now.tv_nsec - origin_ns);
    const uint32_t call = (uint32_t)number, turn = (uint32_t)fill, bytes = (uint32_t)size;
    const uint64_t place = (uint64_t)offset;
    memcpy(entry, &call, 4);
    memcpy(entry + 4, &turn, 4);
    memcpy(entry + 8, &place, 8);
    memcpy(entry + 16, &t_ns, 8);
    entry[24] = (unsigned char)kind;
    memcpy(entry + 25, &bytes, 4);
    return set_number(spool, spool_.end, end + ENTRY_BYTES + size) ||
           set_number(log, log_.offset, offset + record_bytes + size);
}

/* The spool's memory, borrowed, where the log's next entry of so many bytes would begin at `end`; NULL where Python has
   to find other room first, or there is something to tell before. */
static PyObject *room_in(PyObject *log, Py_ssize_t bytes, PyObject **spool, long long *end) {
    PyObject *gaps = SLOT(log, log_.gaps);
    *spool = SLOT(log, log_.spool);
    if (gaps == NULL || !PyDict_Check(gaps) || PyDict_GET_SIZE(gaps) || !IS_A(*spool, spool_)) return NULL;
    PyObject *view = SLOT(*spool, spool_.view);
    if (view == NULL || !PyMemoryView_Check(view) || SLOT(*spool, spool_.full) != Py_False) return NULL;
    if (number_in(*spool, spool_.end, end)) return NULL;
    const Py_buffer *memory = PyMemoryView_GET_BUFFER(view);
    return memory->readonly || *end < 0 || *end + bytes > memory->len ? NULL : view;
}

/* The numbers that a read goes by and changes. */
typedef struct {
    long long kind, received, remaining, largest, messages;
} Numbers;

static int load(PyObject *leg, PyObject *follower, Numbers *found) {
    return number_in(leg, leg_.kind, &found->kind) || number_in(leg, leg_.received_bytes, &found->received) ||
           number_in(follower, follower_.remaining, &found->remaining) ||
           number_in(follower, follower_.largest_message, &found->largest) ||
           number_in(follower, follower_.messages, &found->messages);
}

static int save(PyObject *leg, PyObject *follower, const Numbers *now, Py_ssize_t size) {
    return set_number(leg, leg_.received_bytes, now->received + size) ||
           set_number(follower, follower_.remaining, now->remaining) ||
           set_number(follower, follower_.messages, now->messages);
}

static int goes_on_unseen(PyObject *leg, PyObject *follower) {
    return SLOT(follower, follower_.plain) == Py_True && SLOT(follower, follower_.ended) == Py_False &&
           SLOT(leg, leg_.watched) == Py_False;
}

/* The end of both: what the peer has not taken yet is written, and the writer will hear of the record. Takes `rest`. */
static PyObject *write_and_arm(PyObject *peer, PyObject *rest, PyObject *spool) {
    PyObject *written = rest == NULL ? NULL : PyObject_CallMethod(peer, "write", "N", rest);
    if (written == NULL || SLOT(spool, spool_.armed) != Py_False) return written;
    Py_DECREF(written);
    return PyObject_CallMethod(spool, "arm", NULL);
}

static PyObject *splice(PyObject *leg, PyObject *Py_UNUSED(nothing)) {
    PyObject *log = SLOT(leg, leg_.log), *follower = SLOT(leg, leg_.follower);
    PyObject *transport = SLOT(leg, leg_.transport), *peer = SLOT(leg, leg_.peer);
    if (!IS_A(log, log_) || !IS_A(follower, follower_) || !is_open(transport) || !is_open(peer))
        return PyObject_CallMethod(leg, "splice", NULL);
    long long end;
    Numbers now;
    PyObject *spool, *view = room_in(log, ENTRY_BYTES + chunk_bytes, &spool, &end);
    if (view == NULL || SLOT(transport, socket_.reading) != Py_True)
        return PyErr_Occurred() ? NULL : PyObject_CallMethod(leg, "splice", NULL);
    if (load(leg, follower, &now)) return NULL;

    const Py_ssize_t at = end + ENTRY_BYTES;
    unsigned char *entry = (unsigned char *)PyMemoryView_GET_BUFFER(view)->buf + end, *room = entry + ENTRY_BYTES;
    const ssize_t size = receive(transport, view, at, chunk_bytes);
    if (size < 0) return receive_failed(transport);
    if (size == 0) return PyObject_CallMethod(transport, "end_of_file", NULL);
    if (!goes_on_unseen(leg, follower) || !only_text(room, size, now.largest, &now.remaining, &now.messages))
        return left_to_python(leg, view, at, size);

    const ssize_t sent = transmit(peer, view, at, size);
    if (sent < 0 || save(leg, follower, &now, size) || commit(log, spool, entry, end, now.kind, size)) return NULL;
    if (sent != size) return write_and_arm(peer, PySequence_GetSlice(view, at + sent, at + size), spool);
    if (SLOT(spool, spool_.armed) != Py_False) Py_RETURN_NONE;
    return PyObject_CallMethod(spool, "arm", NULL);
}

static PyObject *take_in(PyObject *leg, PyObject *data) {
    PyObject *log = SLOT(leg, leg_.log), *follower = SLOT(leg, leg_.follower), *peer = SLOT(leg, leg_.peer);
    if (!IS_A(log, log_) || !IS_A(follower, follower_) || peer == NULL || !PyBytes_CheckExact(data) ||
        SLOT(leg, leg_.take) != Py_None || !goes_on_unseen(leg, follower))
        return PyObject_CallMethod(leg, "take_in", "O", data);
    const unsigned char *bytes = (const unsigned char *)PyBytes_AS_STRING(data);
    const Py_ssize_t size = PyBytes_GET_SIZE(data);
    long long end;
    Numbers now;
    if (load(leg, follower, &now)) return NULL;
    PyObject *spool, *view = room_in(log, ENTRY_BYTES + size, &spool, &end);
    if (view == NULL || !only_text(bytes, size, now.largest, &now.remaining, &now.messages))
        return PyErr_Occurred() ? NULL : PyObject_CallMethod(leg, "take_in", "O", data);
    unsigned char *entry = (unsigned char *)PyMemoryView_GET_BUFFER(view)->buf + end;
    memcpy(entry + ENTRY_BYTES, bytes, (size_t)size);
    if (save(leg, follower, &now, size) || commit(log, spool, entry, end, now.kind, size)) return NULL;
    return write_and_arm(peer, Py_NewRef(data), spool);
}

static int is_idle(PyObject *decoder) {
    PyObject *buffer = SLOT(decoder, decoder_.buffer), *opcode = SLOT(decoder, decoder_.opcode);
    return buffer != NULL && PyByteArray_CheckExact(buffer) && PyByteArray_GET_SIZE(buffer) == 0 && opcode != NULL &&
           PyLong_CheckExact(opcode) && PyObject_IsTrue(opcode) == 0;
}

/* Whether it is known how each kind of sound goes on, and there is nothing else to do. */
static int has_foreseen(PyObject *leg, PyObject *follower, PyObject *glance) {
    if (SLOT(glance, glance_.stopped) != Py_False) return 0;
    if (SLOT(leg, leg_.watched) != Py_False || SLOT(follower, follower_.ended) != Py_False) return 0;
    PyObject *decoder = SLOT(glance, glance_.decoder);
    if (!IS_A(decoder, decoder_) || !is_idle(decoder)) return 0;
    if (SLOT(glance, glance_.table) == Py_None) {
        PyObject *asked = PyObject_CallMethod(glance, "foresee", NULL);
        if (asked == NULL) return 0;
        Py_DECREF(asked);
    }
    PyObject *table = SLOT(glance, glance_.table);
    return table != NULL && PyTuple_CheckExact(table) && PyTuple_GET_SIZE(table) == kinds_known;
}

/* The names that the kinds of sound go on with; without text where that is not known. */
static void names_in(PyObject *table, Word *names) {
    for (Py_ssize_t kind = 0; kind < kinds_known; kind++) {
        PyObject *name = PyTuple_GET_ITEM(table, kind);
        const int known = PyBytes_CheckExact(name);
        names[kind] = known ? (Word){PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)} : (Word){NULL, 0};
    }
}

/* Python runs, and `outgoing` is one call's until it has been sent. */
static _Thread_local int is_counting;

/* Whether the stage that counts sound, if there is one, has counted this. */
static int is_counted(PyObject *glance, Py_ssize_t sound) {
    PyObject *count = SLOT(glance, glance_.count);
    if (count == NULL || count == Py_None) return count != NULL;
    is_counting = 1;
    PyObject *counted = PyObject_CallFunction(count, "n", sound);
    is_counting = 0;
    if (counted == NULL) PyErr_Clear(); /* Python asks the stages one by one, and says what fails */
    Py_XDECREF(counted);
    return counted == Py_True;
}

static int hold(PyObject *glance, const unsigned char *bytes, Py_ssize_t size) {
    PyObject *held = PyBytes_FromStringAndSize((const char *)bytes, size), *before = SLOT(glance, glance_.held);
    if (held == NULL) return -1;
    SLOT(glance, glance_.held) = held;
    Py_XDECREF(before);
    return 0;
}

/* `Glance.keeps`: whether it is the beginning of a message, and no more. */
static int is_begun(const unsigned char *bytes, Py_ssize_t size, long long largest) {
    Frame frame;
    return find_frame(bytes, size, 0, &frame) == BEGUN && frame.size <= largest && frame.end <= chunk_bytes;
}

/* What passes goes out and into the log. */
static PyObject *send_and_commit(PyObject *leg, PyObject *view, PyObject *spool, long long end, const Passing *passing,
                                 const Numbers *now) {
    PyObject *peer = SLOT(leg, leg_.peer), *follower = SLOT(leg, leg_.follower);
    unsigned char *bytes = (unsigned char *)PyMemoryView_GET_BUFFER(view)->buf + end + ENTRY_BYTES;
    const Py_ssize_t size = passing->written ? passing->written : passing->end;
    PyObject *out = passing->written ? PyMemoryView_FromMemory((char *)outgoing, size, PyBUF_READ) : Py_NewRef(view);
    const Py_ssize_t at = passing->written ? 0 : end + ENTRY_BYTES;
    const ssize_t sent = out == NULL ? -1 : transmit(peer, out, at, size);
    if (sent < 0 || set_number(follower, follower_.messages, now->messages + passing->messages) ||
        commit(SLOT(leg, leg_.log), spool, bytes - ENTRY_BYTES, end, now->kind, passing->end)) {
        Py_XDECREF(out);
        return NULL;
    }
    PyObject *rest = sent == size ? NULL : PySequence_GetSlice(out, at + sent, at + size);
    Py_DECREF(out);
    if (sent != size) return write_and_arm(peer, rest, spool);
    if (SLOT(spool, spool_.armed) != Py_False) Py_RETURN_NONE;
    return PyObject_CallMethod(spool, "arm", NULL);
}

/* `Leg.received`, of what lies in the log's memory behind the place of its entry. */
static PyObject *received(PyObject *leg, PyObject *view, long long end, Py_ssize_t size, const Numbers *now) {
    PyObject *glance = SLOT(leg, leg_.glance), *spool = SLOT(SLOT(leg, leg_.log), log_.spool);
    unsigned char *bytes = (unsigned char *)PyMemoryView_GET_BUFFER(view)->buf + end + ENTRY_BYTES;
    Word names[MOST_KINDS];
    names_in(SLOT(glance, glance_.table), names);
    const Passing passing = surely_passing(bytes, size, now->largest, names);
    const Py_ssize_t rest = size - passing.end;
    const int keeps = rest && is_begun(bytes + passing.end, rest, now->largest);
    if (passing.end ? !is_counted(glance, passing.sound) : !keeps) {
        PyObject *data = PySequence_GetSlice(view, end + ENTRY_BYTES, end + ENTRY_BYTES + size);
        return data == NULL ? NULL : PyObject_CallMethod(leg, "received", "N", data);
    }
    if (keeps && hold(glance, bytes + passing.end, rest)) return NULL;
    if (passing.end == 0) Py_RETURN_NONE;
    PyObject *behind = PyBytes_FromStringAndSize((const char *)bytes + passing.end, keeps ? 0 : rest);
    PyObject *done = behind == NULL ? NULL : send_and_commit(leg, view, spool, end, &passing, now);
    if (done != NULL && PyBytes_GET_SIZE(behind)) {
        Py_DECREF(done);
        done = PyObject_CallMethod(leg, "look_at", "O", behind);
    }
    Py_XDECREF(behind);
    return done;
}

static PyObject *receive_judged(PyObject *leg, PyObject *Py_UNUSED(nothing)) {
    PyObject *log = SLOT(leg, leg_.log), *follower = SLOT(leg, leg_.follower), *glance = SLOT(leg, leg_.glance);
    PyObject *transport = SLOT(leg, leg_.transport), *peer = SLOT(leg, leg_.peer);
    if (!IS_A(log, log_) || !IS_A(follower, follower_) || !is_open(transport) || !is_open(peer) ||
        !IS_A(glance, glance_) || is_counting || SLOT(transport, socket_.reading) != Py_True ||
        !has_foreseen(leg, follower, glance))
        return PyErr_Occurred() ? NULL : PyObject_CallMethod(leg, "receive_judged", NULL);
    long long end;
    Numbers now;
    PyObject *spool, *view = room_in(log, ENTRY_BYTES + chunk_bytes, &spool, &end), *held = SLOT(glance, glance_.held);
    if (view == NULL || held == NULL || !PyBytes_CheckExact(held) || PyBytes_GET_SIZE(held) >= chunk_bytes)
        return PyErr_Occurred() ? NULL : PyObject_CallMethod(leg, "receive_judged", NULL);
    if (load(leg, follower, &now)) return NULL;

    unsigned char *room = (unsigned char *)PyMemoryView_GET_BUFFER(view)->buf + end + ENTRY_BYTES;
    const Py_ssize_t before = PyBytes_GET_SIZE(held);
    memcpy(room, PyBytes_AS_STRING(held), (size_t)before);
    const ssize_t size = receive(transport, view, end + ENTRY_BYTES + before, chunk_bytes - before);
    if (size < 0) return receive_failed(transport);
    if (size == 0) return PyObject_CallMethod(transport, "end_of_file", NULL);
    if (size == chunk_bytes - before) {
        PyObject *expected = PyObject_CallMethod(transport, "expect_rest", NULL);
        if (expected == NULL) return NULL;
        Py_DECREF(expected);
    }
    if (set_number(leg, leg_.received_bytes, now.received + size) || (before && hold(glance, room, 0))) return NULL;
    Py_INCREF(glance); /* what counts sound is Python, which could let go of them */
    Py_INCREF(view);
    PyObject *done = received(leg, view, end, before + size, &now);
    Py_DECREF(view);
    Py_DECREF(glance);
    return done;
}

static PyMethodDef splices = {"splice", splice, METH_NOARGS, "Reads the leg's socket once."};
static PyMethodDef judges = {"receive_judged", receive_judged, METH_NOARGS, "Reads the socket of a mediated leg once."};
static PyMethodDef takes_in = {"take_in", take_in, METH_O, "What was received goes on."};

static PyObject *of_leg(PyMethodDef *function, PyObject *leg) {
    if (IS_A(leg, leg_)) return PyCFunction_New(function, leg);
    PyErr_SetString(PyExc_TypeError, "not a leg of a call");
    return NULL;
}

static PyObject *reader(PyObject *Py_UNUSED(module), PyObject *leg) { return of_leg(&splices, leg); }

static PyObject *judging_reader(PyObject *Py_UNUSED(module), PyObject *leg) { return of_leg(&judges, leg); }

static PyObject *taker(PyObject *Py_UNUSED(module), PyObject *leg) { return of_leg(&takes_in, leg); }

static int find_slot(PyTypeObject *type, const char *name, Py_ssize_t *offset) {
    PyObject *found = PyObject_GetAttrString((PyObject *)type, name);
    if (found == NULL) return -1;
    const int is_slot = Py_TYPE(found) == &PyMemberDescr_Type && ((PyMemberDescrObject *)found)->d_member->type == T_OBJECT_EX;
    if (is_slot) *offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else PyErr_Format(PyExc_TypeError, "%s.%s is no slot", type->tp_name, name);
    Py_DECREF(found);
    return is_slot ? 0 : -1;
}

/* Pairs of a type of event and the member that has its sound. */
static int learn_kinds(PyObject *pairs) {
    for (kinds_known = 0; kinds_known < PyTuple_GET_SIZE(pairs) && kinds_known < MOST_KINDS; kinds_known++) {
        Word *type = &kinds[kinds_known].type, *member = &kinds[kinds_known].member;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(pairs, kinds_known), "y#y#", &type->text, &type->size, &member->text,
                              &member->size))
            return -1;
    }
    Py_INCREF(pairs); /* for good: their letters are read where they stand */
    return 0;
}

static PyObject *configure(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_ssize_t entry_bytes;
    PyObject *sound;
    if (!PyArg_ParseTuple(args, "(O!O!O!O!O!O!O!O!)nnnO!(OOn)", &PyType_Type, &leg_.type, &PyType_Type, &follower_.type,
                          &PyType_Type, &socket_.type, &PyType_Type, &log_.type, &PyType_Type, &spool_.type, &PyType_Type,
                          &glance_.type, &PyType_Type, &decoder_.type, &PyType_Type, &tls_.type, &entry_bytes,
                          &record_bytes, &chunk_bytes, &PyTuple_Type, &sound, &waits, &ends, &record_most) ||
        learn_kinds(sound))
        return NULL;
    if (entry_bytes != ENTRY_BYTES) {
        PyErr_Format(PyExc_ValueError, "an entry has %zd bytes, not %d", entry_bytes, ENTRY_BYTES);
        return NULL;
    }
    const struct {
        PyTypeObject *type;
        const char *name;
        Py_ssize_t *offset;
    } slots[] = {
        {leg_.type, "_log", &leg_.log},
        {leg_.type, "follower", &leg_.follower},
        {leg_.type, "transport", &leg_.transport},
        {leg_.type, "peer", &leg_.peer},
        {leg_.type, "_kind", &leg_.kind},
        {leg_.type, "watched", &leg_.watched},
        {leg_.type, "received_bytes", &leg_.received_bytes},
        {leg_.type, "_take", &leg_.take},
        {leg_.type, "_glance", &leg_.glance},
        {follower_.type, "_plain", &follower_.plain},
        {follower_.type, "_remaining", &follower_.remaining},
        {follower_.type, "largest_message", &follower_.largest_message},
        {follower_.type, "messages", &follower_.messages},
        {follower_.type, "ended", &follower_.ended},
        {socket_.type, "_fd", &socket_.fd},
        {socket_.type, "_reading", &socket_.reading},
        {socket_.type, "clear", &socket_.clear},
        {socket_.type, "tls", &socket_.tls},
        {tls_.type, "read", &tls_.read},
        {tls_.type, "write", &tls_.write},
        {log_.type, "_spool", &log_.spool},
        {log_.type, "_number", &log_.number},
        {log_.type, "_offset", &log_.offset},
        {log_.type, "_origin_ns", &log_.origin_ns},
        {log_.type, "gaps", &log_.gaps},
        {spool_.type, "view", &spool_.view},
        {spool_.type, "end", &spool_.end},
        {spool_.type, "fill", &spool_.fill},
        {spool_.type, "full", &spool_.full},
        {spool_.type, "armed", &spool_.armed},
        {glance_.type, "_decoder", &glance_.decoder},
        {glance_.type, "stopped", &glance_.stopped},
        {glance_.type, "held", &glance_.held},
        {glance_.type, "table", &glance_.table},
        {glance_.type, "count", &glance_.count},
        {decoder_.type, "_buffer", &decoder_.buffer},
        {decoder_.type, "_opcode", &decoder_.opcode},
    };
    for (size_t number = 0; number < sizeof slots / sizeof *slots; number++)
        if (find_slot(slots[number].type, slots[number].name, slots[number].offset)) return NULL;
    for (Py_ssize_t each = 0; each < PyTuple_GET_SIZE(PyTuple_GET_ITEM(args, 0)); each++)
        Py_INCREF(PyTuple_GET_ITEM(PyTuple_GET_ITEM(args, 0), each));
    Py_INCREF(waits);
    Py_INCREF(ends);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"configure", configure, METH_VARARGS, "The classes whose slots are read, the sizes of the log's headers, TLS's errors."},
    {"reader", reader, METH_O, "What reads a leg's socket."},
    {"judging_reader", judging_reader, METH_O, "What reads the socket of a leg that is mediated."},
    {"taker", taker, METH_O, "What takes bytes that were read already."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_splice", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__splice(void) { return PyModule_Create(&module); }
