package identity

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"kubecrate/manifest"
)

const (
	mostBytes  = 1 << 20 // of the file, encrypted or not
	mostMember = 64 << 10
	// workFactor is that of age -p: log2 of scrypt's N, 256 MiB of memory. A file
	// that asks for more is refused, or it could take all memory of a host.
	workFactor  = 18
	least       = 12 // characters: a finder of the stick can try without limit
	sealedMode  = 0o600
	ticketEntry = TicketName
)

// CheckPassphrase says whether a passphrase is good enough to make an identity.
func CheckPassphrase(passphrase []byte) error {
	if len(passphrase) < least {
		return fmt.Errorf("the passphrase has %d characters, want at least %d: the finder of a stick can try any number", len(passphrase), least)
	}
	return nil
}

// Seal encrypts the identity with a passphrase. work is log2 of scrypt's N, which
// tests choose low; 0 is that of age -p.
func (i *Identity) Seal(passphrase []byte, work int) ([]byte, error) {
	if work == 0 {
		work = workFactor
	}
	var out bytes.Buffer
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt the identity: %w", err)
	}
	to.SetWorkFactor(work)
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt the identity: %w", err)
	}
	if err := errors.Join(i.pack(w), w.Close()); err != nil {
		return nil, fmt.Errorf("cannot encrypt the identity: %w", err)
	}
	return out.Bytes(), nil
}

// pack writes the identity as a tar, in which no time stands.
func (i *Identity) pack(w io.Writer) error {
	t := tar.NewWriter(w)
	for _, name := range append([]string{ticketEntry}, Names()...) {
		text := i.Files[name]
		if name == ticketEntry {
			text = i.Text
		}
		head := &tar.Header{Name: name, Mode: sealedMode, Size: int64(len(text)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(head); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return t.Close()
}

// Open decrypts an identity and checks that its parts fit together. name is what
// errors call the file. A wrong passphrase and a file that was changed give an
// *Error: age cannot tell one from the other before the header is proven.
func Open(name string, sealed, passphrase []byte) (*Identity, error) {
	if len(sealed) > mostBytes {
		return nil, Untrusted(Remake, "%s is not an identity: it has %d bytes", name, len(sealed))
	}
	key, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, Untrusted("type it again, or pass the right file: --passphrase-file FILE", "the passphrase of %s is empty", name)
	}
	key.SetMaxWorkFactor(workFactor)
	r, err := age.Decrypt(bytes.NewReader(sealed), key)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other):
		return nil, Untrusted("type it again, or pass the right file: --passphrase-file FILE; if it is lost: "+Remake, "wrong passphrase for %s", name)
	case err != nil:
		return nil, Untrusted(Remake, "%s is damaged or not an identity: %w", name, err)
	}
	id, err := unpack(r)
	if err == nil {
		err = id.check()
	}
	if err != nil {
		return nil, Untrusted(Remake, "%s is damaged or not an identity: %w", name, err)
	}
	return id, nil
}

// unpack reads the tar: the members of Names and the ticket, each once, and
// nothing else.
func unpack(r io.Reader) (*Identity, error) {
	id := &Identity{Files: map[string][]byte{}}
	t := tar.NewReader(io.LimitReader(r, mostBytes))
	for {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if head.Typeflag != tar.TypeReg || head.Size > mostMember || head.Name != ticketEntry && !slices.Contains(Names(), head.Name) || id.Files[head.Name] != nil {
			return nil, fmt.Errorf("it contains the unexpected file %q", head.Name)
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		id.Files[head.Name] = text
	}
	// What follows the tar is proven too: age knows only at the end that nothing is cut off.
	if n, err := io.Copy(io.Discard, r); err != nil || n > mostBytes {
		return nil, fmt.Errorf("it is truncated or has extra data: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	for _, name := range append([]string{ticketEntry}, Names()...) {
		if len(id.Files[name]) == 0 {
			return nil, fmt.Errorf("it lacks %s", name)
		}
	}
	var err error
	id.Text = id.Files[ticketEntry]
	delete(id.Files, ticketEntry)
	id.Ticket, err = manifest.ParseTicket(ticketEntry, id.Text)
	return id, err
}
