package signedjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/signedjson"
)

func signer(t testing.TB) *signedjson.Signer {
	t.Helper()
	s, err := signedjson.NewSigner(time.Date(2020, 5, 1, 12, 0, 0, 5, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign puts key and signature into text, which has KEY and SIGNATURE in it.
func sign(t testing.TB, s *signedjson.Signer, text string) string {
	t.Helper()
	text = strings.Replace(text, "KEY", s.Key(), 1)
	signature, err := s.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(text, "SIGNATURE", signature, 1)
}

const text = `{"b": [1.50, {"z":"é","y":null}], "a": "x", "key": "KEY", "signature": "SIGNATURE"}`

func TestOpen(t *testing.T) {
	t.Parallel()
	s := signer(t)
	good := sign(t, s, text)
	o, err := signedjson.Open([]byte(good))
	if err != nil || o.Key != s.Key() || string(o.Body) != `{"a":"x","b":[1.50,{"y":null,"z":"é"}],"key":"`+s.Key()+`"}` {
		t.Fatalf("%s, %v", o.Body, err)
	}
	for name, v := range map[string]struct {
		text string
		ok   bool
	}{
		"another order and space":    {strings.Replace(good, `"a": "x", `, ``, 1)[:len(good)-len(`"a": "x", `)-1] + ` , "a":"x"}`, true},
		"a key more":                 {strings.Replace(good, `"a"`, `"c":1,"a"`, 1), false},
		"the same key in capitals":   {strings.Replace(good, `"a"`, `"A":"y","a"`, 1), false},
		"a key twice, the last good": {strings.Replace(good, `"a"`, `"a":"y","a"`, 1), true},
		"a key twice, the last bad":  {strings.Replace(good, `"key"`, `"a":"y","key"`, 1), false},
		"no signature":               {good[:strings.Index(good, `, "signature"`)] + "}", false},
		"no key":                     {strings.Replace(good, `"key": "`+s.Key()+`", `, "", 1), false},
		"another's key":              {strings.Replace(good, s.Key(), signer(t).Key(), 1), false},
		"a number as key":            {strings.Replace(good, `"`+s.Key()+`"`, "7", 1), false},
	} {
		switch o, err := signedjson.Open([]byte(v.text)); {
		case v.ok && (err != nil || !strings.Contains(string(o.Body), `"a":"x"`)):
			t.Errorf("%s: %s, %v", name, o.Body, err)
		case !v.ok && !errors.Is(err, signedjson.ErrSignature):
			t.Errorf("%s: %v", name, err)
		}
	}
	if o, err := signedjson.Open([]byte(`{"a":1}`)); err != nil || o.Key != "" || o.Signature != "" {
		t.Errorf("one that is not signed: %+v, %v", o, err)
	}
	for _, bad := range []string{"", "null", "[]", "{} {}", `{"a":}`, "7"} {
		if _, err := signedjson.Open([]byte(bad)); err == nil || errors.Is(err, signedjson.ErrSignature) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestFlippedBits: no single bit can change without notice.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	good := []byte(sign(t, signer(t), text))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if o, err := signedjson.Open(bad); err == nil {
				t.Errorf("byte %d, bit %d: %s is taken as %s", i, bit, bad, o.Body)
			}
		}
	}
}

func TestSigner(t *testing.T) {
	t.Parallel()
	s := signer(t)
	text, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := signedjson.ParseSigner(text)
	if err != nil || again.Key() != s.Key() || !again.Since.Equal(s.Since) || s.Since.Nanosecond() != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	for _, bad := range []string{"", "{}", `{"seed":"c2VjcmV0"}`, string(text[:len(text)/2])} {
		if _, err := signedjson.ParseSigner([]byte(bad)); err == nil || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := s.Sign([]byte(`{"key":"another"}`)); err == nil {
		t.Error("it signed under another key")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(sign(f, signer(f), text)))
	f.Add([]byte(`{"a":{"a":1e999},"A":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := signedjson.Open(data)
		if err != nil {
			return
		}
		if !json.Valid(o.Body) || (o.Key == "") != (o.Signature == "") {
			t.Errorf("%q: %+v", data, o)
		}
		if o.Key != "" {
			return
		}
		if again, err := signedjson.Open(o.Body); err != nil || !bytes.Equal(again.Body, o.Body) {
			t.Errorf("%q is not canonical: %q, %v", o.Body, again.Body, err)
		}
	})
}
