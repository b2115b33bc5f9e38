package manifest

import "reflect"

// elsewhere says what to write in place of a key that a .repo file may have and
// a repository of a manifest has not, "" for keys that nobody knows.
func elsewhere(t reflect.Type, key string) string {
	if t != reflect.TypeFor[Repo]() {
		return ""
	}
	switch key {
	case "mirrorlist", "metalink":
		return "name the mirrors themselves under baseurl, which is a list; curl shows those of a " + key
	case "repo_gpgcheck":
		return "leave it out: the signature of every package is checked (gpgcheck)"
	case "username", "password":
		return `a login belongs into ~/.netrc: "machine HOST login USER password PASSWORD"`
	case "proxy", "proxy_username", "proxy_password", "proxy_auth_method":
		return "a proxy is named by the variable HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT), and NO_PROXY lists the hosts that need none"
	case "sslcacert", "sslverify", "proxy_sslcacert", "proxy_sslverify":
		return "certificates are always checked; those of an authority of your own are named by the variable SSL_CERT_FILE"
	case "sslclientcert", "sslclientkey":
		return "client certificates are not supported: copy the repository with reposync, and name the folder under baseurl"
	case "exclude", "excludepkgs", "includepkgs":
		return "packages that must not be chosen stand in packages.exclude, for all repositories"
	case "enabled":
		return "a repository that is not wanted is left out"
	case "name":
		return "id is what names it"
	case "cost":
		return "priority says which repository goes first"
	case "module_hotfixes", "skip_if_unavailable", "metadata_expire", "type", "failovermethod", "keepcache", "countme":
		return "leave it out: it has no meaning here"
	}
	return ""
}
