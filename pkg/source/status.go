package source

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// StatusError is an HTTP status other than success. Said is the server's message
// for people, on one line, "" if there is none.
type StatusError struct {
	Code int
	Said string
}

func (e *StatusError) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code)))
	if e.Said != "" && !strings.Contains(strings.ToLower(text), strings.ToLower(e.Said)) {
		text += ": " + e.Said
	}
	return text
}

// longestSaid is where what a server says is cut, in bytes.
const longestSaid = 240

// queryForm finds the query of a URL, which may hold a secret.
var queryForm = regexp.MustCompile(`\?[^\s"'<>]*=[^\s"'<>]*`)

// said finds what a server says for people in the body of an answer that is no
// success: the messages of JSON, as registries send them (distribution-spec,
// "Error Codes"), or the first line of a plain text. HTML is for browsers.
func said(contentType string, body []byte) string {
	kind, _, _ := mime.ParseMediaType(contentType) // unparsable: no type
	var text string
	switch {
	case strings.HasSuffix(kind, "json"), strings.HasPrefix(strings.TrimSpace(string(body)), "{"):
		text = saidJSON(body)
	case kind == "text/plain":
		text, _, _ = strings.Cut(strings.TrimSpace(string(body)), "\n")
	}
	text = queryForm.ReplaceAllString(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "), "?...")
	if len(text) > longestSaid {
		text = strings.ToValidUTF8(text[:longestSaid], "") + "..."
	}
	return text
}

func saidJSON(body []byte) string {
	var answer struct {
		Errors []struct {
			Code    any    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var texts []string
	for _, e := range answer.Errors {
		text := e.Message
		if code, ok := e.Code.(string); ok && text == "" {
			text = code
		}
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return answer.Message
	}
	return strings.Join(texts, "; ")
}
