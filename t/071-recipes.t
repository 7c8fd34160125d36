#!/usr/bin/perl
# Every command in the documentation does what its page says, unchanged, on a machine with Debian's nginx and its nginx.conf.
# The commands are read from the pages; the test fails for a page with a block that it does not run.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Recipes;

plan skip_all => 'the module that make install installs has no sanitizer' if $ENV{TEST_NGINX_PRELOAD};
plan skip_all => 'this is not the module that make install installs'
    if ($ENV{TEST_NGINX_MODULE} // '') ne "$Scim::Recipes::repo/build/objs/ngx_http_scim_module.so";
plan skip_all => 'this is not Debian\'s nginx' if Scim::_nginx() ne '/usr/sbin/nginx' || !-e '/lib/systemd/system/nginx.service';
my $reason = Scim::Recipes::impossible();
plan skip_all => $reason if $reason;

my $t = Scim->new;    # for its directory and run(); its own nginx is not started

# Runs the steps on a new machine; returns the outputs of the steps that are not blocks of a page.
sub played {
    my ($name, @steps) = @_;
    my $r = Scim::Recipes::machine($t, @steps);
    is $r->{failed}, '', "$name: every command succeeds";
    return map { ref $steps[$_] ? () : $r->{said}[$_] // '' } 0 .. $#steps;
}

# --- README

my @readme = Scim::Recipes::blocks('README.md', 'sh');
my @install = grep $_->{text} =~ /make install|modules-enabled/, @readme;
my @try = grep $_->{text} =~ /make run DAEMON|make stop/, @readme;
is scalar(@install), 2, 'README installs in two blocks';
is scalar(grep $_->{text} !~ /^make run +#/m, @readme), @install + @try, 'README has no block that is not run';    # t/090-run.t
my $files = $install[0];
my $enable = { %{ $install[1] }, text => join '', $install[1]{text} =~ /^(sudo ln .*\n)/m };
my $make_token = 'TOKEN=$(sudo scimctl token create --tenant acme --label test | tail -n 1)';
my $ask = 'answers -H "Authorization: Bearer $TOKEN"';
my $bad_log = 'grep -E "\[(alert|crit|emerg)\]" /var/log/nginx/error.log || true';
my $users = '/scim/v2/Users';

{
    my @said = played('README, "Try it"', 'export DIR=/mnt/run', @try);
    is $said[0], '', 'README: the commands of "Try it" print no error';
}
{
    my @said = played('README, "Install it"', @install, $make_token, "$ask http://127.0.0.1:8080$users",
        'answers http://127.0.0.1:8080/Users', 'man -w scimctl nginx-scim', $bad_log);
    like $said[1], qr/^200 .*"totalResults":0/, 'README: the installed server answers with the token';
    like $said[2], qr{^404 \{.*"the SCIM base URL ends in /scim/v2 \(request [0-9a-f]{32}\)"},
        'README: a base URL without /scim/v2 is answered with a SCIM Error';
    is $said[4], '', 'README: the error log has no alert, crit or emerg';
}

# --- conf-examples

for my $name (qw(quickstart production-tls multi-tenant all-directives)) {
    my $header = Scim::Recipes::header("conf-examples/$name.conf");
    my $url = $name eq 'production-tls' ? 'https://id.example.com' : 'http://127.0.0.1:8080';
    my @module = $name eq 'all-directives' ? () : $enable;    # it is a whole nginx.conf, with load_module
    my @said = played("$name.conf", $files, @module, 'certificate', $header, "sudo scimctl tenant add acme; $make_token",
        "$ask $url$users");
    like $said[-1], qr/^200 .*"totalResults":0/, "$name.conf: the server answers with the token";
}
{
    my ($said) = played('log-format.conf', $files, $enable, Scim::Recipes::header('conf-examples/log-format.conf'),
        'echo "include /etc/nginx/scim/log-format.conf; access_log /var/log/nginx/scim.log scim;" >/etc/nginx/conf.d/log.conf; sudo nginx -t');
    like $said, qr/test is successful/, 'log-format.conf: nginx -t accepts its two lines in conf.d';
}

{
    my @names = map m{([^/]+)\.conf$}, glob "$Scim::Recipes::repo/conf-examples/gate-*.conf";
    my @steps = map { ('rm -f /etc/nginx/conf.d/*; sudo scimctl tenant remove acme --yes || true', Scim::Recipes::header("conf-examples/$_.conf")) }
        @names;
    my $passwords = 'printf "ada:{PLAIN}secret\n" | tee /etc/nginx/crm.htpasswd >/etc/nginx/users.htpasswd';
    played('the examples of the gate', $files, $enable, 'certificate; cp /etc/nginx/id.example.com.pem /etc/nginx/clients-ca.pem', $passwords, @steps);
}

# --- pages for identity providers

for my $page (qw(docs/entra.md docs/okta.md)) {
    my ($nginx, $token, $try, @later) = Scim::Recipes::blocks($page, 'sh');
    like $try->{text}, qr/^curl /, "$page: the third block is the curl command";
    my @said = played($page, $files, $enable, 'certificate', $nginx, $token, "$ask https://id.example.com$users",
        $try->{text}, @later, 'answers https://id.example.com/Users', 'cat /var/log/nginx/scim.log', $bad_log);
    like $said[2], qr/"totalResults":0/, "$page: the curl command returns a list";
    like $said[3], qr{^404 .*the SCIM base URL is https://id\.example\.com/scim/v2 },
        "$page: a wrong URL is refused with a sentence that names the base URL";
    like $said[4], qr/"tenant":"acme"/, "$page: the access log is the file that the page names";
    is $said[5], '', "$page: the error log has no alert, crit or emerg";
}

# --- backup

{
    my ($backup, $nightly, $restore, @more) = Scim::Recipes::blocks('docs/backup.md', 'sh');
    is scalar(@more), 0, 'docs/backup.md has no block that is not run';
    my $add = sub {
        return "$ask http://127.0.0.1:8080$users -H 'Content-Type: application/scim+json' -d "
            . qq('{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"$_[0]"}');
    };
    my @said = played('docs/backup.md', @install, $make_token, $add->('before'), $backup, $nightly,
        # as cron runs it: the sixth field is the user, the rest is a shell command
        q(sh -c "$(cut -d' ' -f7- /etc/cron.d/scim-backup)"; scim-backup list | wc -l),
        $add->('after'), $restore, "$ask http://127.0.0.1:8080$users",
        'stat -c "%U %a" /var/lib/nginx/scim /var/lib/nginx/scim/data.mdb /var/backups/scim', $bad_log);
    like $said[1], qr/^201 /, 'docs/backup.md: a user is created before the backup';
    is $said[2], "2\n", 'docs/backup.md: the nightly command makes a second backup';
    like $said[3], qr/^201 /, 'docs/backup.md: a user is created after the backup';
    like $said[4], qr/^200 .*"totalResults":1,/, 'docs/backup.md: the restored store has only the user of the backup';
    is $said[5], "www-data 700\nwww-data 600\nroot 700\n",
        'docs/backup.md: the store and the backups have their owners and modes';
    is $said[6], '', 'docs/backup.md: the error log has no alert, crit or emerg';
}

# --- the error log at the level that Debian's nginx.conf has

{
    # A worker that has not opened the store yet answers 503 with Retry-After, which curl obeys.
    my $post = sub {
        return "curl -s --retry 5 -o /dev/null -H \"Authorization: Bearer \$TOKEN\" -H 'Content-Type: application/scim+json' "
            . "http://127.0.0.1:8080$users -d '{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],$_[0]}'\n";
    };
    my $unknown = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
    my @said = played('log levels', @install, $make_token, "$ask http://127.0.0.1:8080$users",
        $post->('"userName":"ada","costcentre":"7"') . $post->('"userName":"ada"') . $post->('"userName":"bob","costcentre":"7"')
            . $post->(qq("userName":"eve","$unknown":{"costcentre":"7"}))
            . 'curl -s -o /dev/null -X PATCH -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/scim+json" '
            . "http://127.0.0.1:8080$users/00000000-0000-7000-8000-000000000000 -d '{\"Operations\":[{\"op\":\"Add\",\"value\":{}}]}'\n"
            . "for i in 1 2 3; do curl -s -o /dev/null -H 'Authorization: Bearer nobody' http://127.0.0.1:8080$users; done\n"
            . "curl -s -o /dev/null -H 'Authorization: Bearer \"quoted\"' http://127.0.0.1:8080$users\n"
            . "curl -s -o /dev/null -H \"Authorization: Bearer Bearer \$TOKEN\" http://127.0.0.1:8080$users\n"
            . "curl -s -o /dev/null -H \"Authorization: Bearer \$TOKEN\" http://127.0.0.1:8080$users/nobody\n",
        'cat /var/log/nginx/error.log');
    my $log = $said[-1];
    my $lines = sub { my ($pattern) = @_; return scalar(() = $log =~ /\[error\] [^\n]*$pattern/g) };
    like $log, qr/\[error\].*create of User \S+: "costcentre" was ignored: no schema declares it; correct the name, or declare it with scim_schema \(request [0-9a-f]{32}\)/,
        'an ignored attribute is in the error log';
    like $log, qr/"\Q$unknown\E:costcentre" was ignored/,
        'an ignored attribute of an extension is in the error log with its URN';
    is $lines->('userName "ada" is taken'), 1, 'a refused write is in the error log once';
    is $lines->('there is no User with the id "0000'), 1, 'a write to an unknown resource is in the error log once';
    cmp_ok $lines->('the token is unknown here'), '>=', 1, 'a refused token is in the error log';
    is $lines->('the token is in quotes'), 1, 'a token in quotes has its own message';
    is $lines->('begins with the word Bearer'), 1, 'a token with a second Bearer has its own message';
    unlike $log, qr/op-case|there is no User with the id "nobody"/,
        'accepted deviations and reads of unknown resources are not in the error log';
}

# --- directives: each example in the context of its directive

for my $page (qw(docs/directives.md docs/gateway.md)) {
    my @blocks = Scim::Recipes::blocks($page, 'nginx');
    cmp_ok scalar(@blocks), '>=', 3, "$page has at least three examples";
    my $script = 'sudo install -D -m 644 -t /etc/nginx/scim conf-examples/acme-user.json conf-examples/schemas/device-{schema,type}.json; write() { cat >/etc/nginx/conf.d/scim.conf; }';
    for my $block (@blocks) {
        my ($store, $text) = ('scim_store main /var/lib/nginx/scim;', $block->{text});
        my $subject = $text =~ /scim_subject/ ? '' : 'scim_subject $ssl_client_s_dn tenant=acme;';
        my $conf = $text =~ /^scim_store\b/ ? $text
            : $text =~ /^(?:scim_(?:schema|index|thread_pool|log_retention|set)|map)\b/ ? "$store\n$text"
            : $text =~ /^(?:location|if|scim_(?:subject|require|header)|proxy_\w+)\b/ ? "$store server { listen 8081; $subject $text }"
            : "$store server { listen 8081; location /scim/v2 { scim main; $text } }";
        $script .= "\nwrite <<'END'\n$conf\nEND\necho '$block->{page}:$block->{line}'; sudo nginx -t -q\n";
    }
    played($page, $files, $enable, $script);
}

done_testing;
