// Package credential keeps secrets out of what is written: it finds them in
// URLs, takes them out of texts, and reads the netrc file in which people keep
// them instead.
package credential

import (
	"net/url"
	"regexp"
	"strings"
)

// Hidden stands where a secret was.
const Hidden = "***"

// InURL names the part of a URL, or of a name such as HOST/PATH, that is a
// secret or is likely to be one: "a user name or password", or a parameter of
// its query. It is "" where there is none. Nothing is said of a path.
func InURL(s string) string {
	authority, rest := split(s)
	if hasUserinfo(authority, rest) {
		return "a user name or password"
	}
	_, query, _ := strings.Cut(rest, "?")
	query, fragment, _ := strings.Cut(query, "#")
	for _, part := range []string{query, fragment} {
		for _, pair := range strings.FieldsFunc(part, isSeparator) {
			if key, value, _ := strings.Cut(pair, "="); isSecret(key, value) {
				return "a secret in its query (" + plain(key) + ")"
			}
		}
	}
	return ""
}

// split gives what stands before and behind the first / ? or # of a URL
// without its scheme.
func split(s string) (authority, rest string) {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	} else if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
		return "", s // a path
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// pinForm is what stands behind the @ of an image that is named by digest.
var pinForm = regexp.MustCompile(`^[a-z0-9+._-]+:[0-9A-Fa-f]{8,}$`)

// hasUserinfo says whether a user or a password stands before the host. A
// password may hold what ends an authority; what is before it then looks like a
// host with a port that is not a number.
func hasUserinfo(authority, rest string) bool {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return !pinForm.MatchString(authority[at+1:])
	}
	if strings.HasPrefix(authority, "[") {
		return false
	}
	_, port, ok := strings.Cut(authority, ":")
	return ok && strings.Trim(port, "0123456789") != "" && strings.HasPrefix(rest, "/") && looksCut(rest)
}

func looksCut(rest string) bool {
	_, after, ok := strings.Cut(rest, "@")
	return ok && !pinForm.MatchString(after)
}

func isSeparator(r rune) bool { return r == '&' || r == ';' }

// isSecret judges a parameter by its name, or by a value in the form of a
// well-known kind of token.
func isSecret(key, value string) bool {
	if value == "" {
		return false
	}
	if name, err := url.QueryUnescape(key); err == nil {
		key = name
	}
	name := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(key))
	switch name {
	case "sig", "hmac", "sas", "pass", "pw", "key", "auth", "oauth", "authorization", "jwt", "sid", "hdnea", "hdnts", "policy":
		return true
	}
	for _, part := range []string{"token", "secret", "password", "passwd", "pwd", "signature", "credential", "apikey", "accesskey", "privatekey", "authkey", "session", "bearer"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return tokenForm.MatchString(value)
}

// tokenForm is how a JSON web token and the tokens of large hosters begin.
var tokenForm = regexp.MustCompile(`^(eyJ[\w-]+\.[\w-]+|gh[a-z]_|github_pat_|glpat-|AKIA[0-9A-Z]|xox[a-z]-)`)

func plain(key string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, key)
}

// loginForm is a login as in a URL: USER:PASSWORD@.
var loginForm = regexp.MustCompile(`[^/\s:]+:/?[^\s@]+@([^\s/]*)`)

// InPath says whether what has no scheme, and is taken for a path for that, looks
// like a URL with a login: "user:password@host/x", "https:/user:password@host/x".
func InPath(s string) bool {
	if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") || strings.HasPrefix(s, ".") {
		return false
	}
	m := loginForm.FindStringSubmatch(s)
	return m != nil && !pinForm.MatchString(m[1])
}

// Shown is how a URL that is refused is repeated: secrets hidden, and without its
// query and fragment, whose content is unknown.
func Shown(s string) string {
	if !strings.Contains(s, "://") && InPath(s) {
		return Hidden
	}
	s = Redact(s)
	if i := strings.IndexAny(s, "?#"); i >= 0 && i < len(s)-1 {
		return s[:i+1] + "..."
	}
	return s
}

// urlForm finds URLs in a text; a quote or a blank ends them.
var urlForm = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)

// Redact puts Hidden in the place of each secret that InURL would find in the
// URLs of a text.
func Redact(text string) string {
	return urlForm.ReplaceAllStringFunc(text, redactURL)
}

func redactURL(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	authority, behind := split(s)
	if hasUserinfo(authority, behind) {
		// A password that holds a slash reaches further than the authority.
		at := strings.LastIndexByte(authority, '@')
		if at < 0 {
			at = strings.IndexByte(rest, '@')
		}
		rest = Hidden + rest[at:]
	}
	i := strings.IndexAny(rest, "?#")
	if i < 0 {
		return scheme + "://" + rest
	}
	query := rest[i+1:]
	return scheme + "://" + rest[:i+1] + pairForm.ReplaceAllStringFunc(query, func(pair string) string {
		key, value, ok := strings.Cut(pair, "=")
		if ok && isSecret(key, value) {
			return key + "=" + Hidden
		}
		return pair
	})
}

var pairForm = regexp.MustCompile(`[^&;#]+`)

// Strip is a URL without the parts that InURL objects to. What cannot be read
// and holds a secret becomes "".
func Strip(s string) string {
	if InURL(s) == "" {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User, u.Fragment = nil, ""
	var kept []string
	for _, pair := range strings.FieldsFunc(u.RawQuery, isSeparator) {
		if key, value, _ := strings.Cut(pair, "="); !isSecret(key, value) {
			kept = append(kept, pair)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	if clean := u.String(); InURL(clean) == "" {
		return clean
	}
	return ""
}
