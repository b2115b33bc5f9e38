package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// rewritten writes the tar of layer with the word kubernetes replaced by another
// of its length, as a release would be that changed a little everywhere.
func rewritten(w io.Writer, layer v1.Layer, word string) (err error) {
	r, err := layer.Uncompressed()
	if err != nil {
		return fmt.Errorf("cannot read the layer: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("cannot read the layer: %w", err)
	}
	// Past the tar header, whose checksum has to stay right.
	at := 64 << 10
	_, err = w.Write(append(data[:at:at], bytes.ReplaceAll(data[at:], []byte("kubernetes"), []byte(word))...))
	return err
}
