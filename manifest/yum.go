package manifest

import "reflect"

// repoKeyAdvice says what to write instead of a key that a .repo file may have but a
// repository of a manifest has not, "" for unknown keys.
func repoKeyAdvice(t reflect.Type, key string) string {
	if t != reflect.TypeFor[Repo]() {
		return ""
	}
	switch key {
	case "mirrorlist", "metalink":
		return "list the mirrors under baseurl; to see those of a " + key + ": curl URL"
	case "repo_gpgcheck":
		return "remove it: the signature of every package is checked (gpgcheck)"
	case "username", "password":
		return `write the login to ~/.netrc: "machine HOST login USER password PASSWORD"`
	case "proxy", "proxy_username", "proxy_password", "proxy_auth_method":
		return "set the proxy with the variable HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT), and list exceptions in NO_PROXY"
	case "sslcacert", "sslverify", "proxy_sslcacert", "proxy_sslverify":
		return "certificates are always verified; for your own certificate authority set the variable SSL_CERT_FILE"
	case "sslclientcert", "sslclientkey":
		return "client certificates are not supported: copy the repository with reposync, and name the directory under baseurl"
	case "exclude", "excludepkgs", "includepkgs":
		return "list excluded packages under packages.exclude, for all repositories"
	case "enabled":
		return "remove a repository that you do not need"
	case "name":
		return "id names the repository"
	case "cost":
		return "use priority to order repositories"
	case "module_hotfixes", "skip_if_unavailable", "metadata_expire", "type", "failovermethod", "keepcache", "countme":
		return "remove it: it has no effect here"
	}
	return ""
}
