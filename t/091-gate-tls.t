#!/usr/bin/perl
# The access gate and client certificates: only a certificate that nginx has verified for the server of the request names a
# user. HTTP/2, and connections that are used for several servers.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Gate;

my $app = Scim::Gate::application('http');
my $tls = "listen 127.0.0.1:%%PORT1%% ssl %%HTTP2%%; ssl_certificate %%DIR%%/server.pem; ssl_certificate_key %%DIR%%/server.key;";
my $pass = "proxy_pass http://127.0.0.1:$app->{port};";
my $t = Scim->new(http => <<"EOH", server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    scim_header X-User \$scim_user_name;
    map \$ssl_client_s_dn \$certificate_name { ~CN=([^,]+) \$1; }
    map \$ssl_client_verify \$tenant_of_verify { default acme; }
    server {
        $tls
        server_name lax.example;
        ssl_verify_client optional_no_ca;
        scim_require active;
        scim_subject \$certificate_name tenant=acme;
        location /direct/ { scim_subject "\${ssl_client_fingerprint}" by=externalId tenant=acme; $pass }
        location /map/ { $pass }
        location /set/ { set \$name \$certificate_name; scim_subject \$name tenant=acme; $pass }
        location /header/ { scim_subject \$http_x_remote_user tenant=acme trusted; $pass }
        location /off/ { scim_require off; $pass }
        location /upper/ { scim_subject "\$SSL_Client_Fingerprint" by=externalId tenant=acme; $pass }
        location /unrelated/ { set \$print \$ssl_client_fingerprint; scim_subject \$http_x_remote_user tenant=acme trusted; $pass }
        location /capture/ { if (\$ssl_client_s_dn ~ "CN=(.*)") { } scim_subject \$1 tenant=acme; $pass }
        location /tenant/ { scim_subject \$http_x_remote_user tenant=\$certificate_name trusted; $pass }
        location /verify/ { scim_subject \$http_x_remote_user tenant=\$tenant_of_verify trusted; $pass }
    }
    server {
        $tls
        server_name strict.example;
        ssl_client_certificate %%DIR%%/ca.pem;
        ssl_verify_client optional;
        scim_require active;
        scim_subject \$certificate_name tenant=acme;
        location / { $pass }
        location /admins/ { scim_require group=Admins; $pass }
        location /tenant/ { scim_subject ada tenant="\$ssl_client_verify"; $pass }
    }
    server {
        $tls
        server_name none.example;
        scim_require active;
        scim_subject \$certificate_name tenant=acme;
        location / { $pass }
        location /direct/ { scim_subject "\$ssl_client_fingerprint" by=externalId tenant=acme; $pass }
        location /header/ { scim_subject \$http_x_remote_user tenant=acme trusted; $pass }
    }
EOH
    location /scim/v2/ { scim main; }
EOS

sub openssl {
    my @command = ('openssl', @_);
    my ($exit, $out, $err) = $t->run('', @command);
    $exit == 0 or die "@command: $err";
    return $out;
}
sub file { return "$t->{dir}/$_[0]" }
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj), "/CN=$_->[1]", '-keyout', file("$_->[0].key"), '-out', file("$_->[0].pem"))
    for [server => 'localhost'], [ca => 'authority'], [forged => 'ada'];
for my $name (qw(ada bob eve)) {
    openssl(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name", '-keyout', file("$name.key"), '-out', file("$name.csr"));
    openssl(qw(x509 -req -days 2 -CA), file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-in', file("$name.csr"),
        '-out', file("$name.pem"));
}
my $gate = Scim::Gate->new($t);
for my $name (qw(ada forged)) {
    my $print = lc openssl(qw(x509 -noout -fingerprint -sha1 -in), file("$name.pem")) =~ s/.*=|[:\s]//gr;
    is $gate->{scim}->request(POST => '/scim/v2/Users', json => Scim::user("by-print-$name", externalId => $print,
        active => JSON::PP::true))->{status}, 201, "a user is known by the fingerprint of the certificate \"$name\"";
}

# Requests ([server, path, more arguments of curl], …) of one connection with a certificate, as "status user"
my $port = $t->port(1);
sub answers {
    my ($certificate, @requests) = @_;
    my $http = ref $requests[0] ? '--http2' : shift @requests;
    my @args = ('curl', '-sS');
    for my $request (@requests) {
        my ($server, $path, @more) = @$request;
        push @args, $request == $requests[0] ? () : '--next', '-sS', '-k', '-m', 20, $http,
            ($certificate ? ('--cert', file("$certificate.pem"), '--key', file("$certificate.key")) : ()),
            '--connect-to', "::127.0.0.1:$port", '-w', "\nstatus=%{http_code} connects=%{num_connects}\n", @more,
            "https://$server:$port$path";
    }
    my (undef, $out, $err) = $t->run('', @args);
    my @got;
    push @got, "$3" . ($1 =~ /^X-User=(.*)$/mi ? " $1" : '') while $out =~ /\G(.*?)\nstatus=()(\d+) connects=\d+\n/gs;
    diag $err if !@got;
    return wantarray ? @got : $got[0];
}
my $ready = sub { my ($path, @more) = @_; return ['lax.example', $path, @more] };

# --- optional_no_ca

for my $path ('/direct/', '/map/', '/set/', '/upper/', '/capture/', '/tenant/') {
    is answers(forged => $ready->($path)), '401', "optional_no_ca: a certificate that is not verified names nobody in $path";
    is answers(undef, $ready->($path)), '401', "optional_no_ca: without a certificate there is nobody in $path";
}
is answers(forged => $ready->('/off/')), '200', 'optional_no_ca: it gives no identity to an application where nothing is required';
is answers(forged => $ready->('/header/', '-H', 'X-Remote-User: ada')), '200 ada',
    'a certificate does not concern a subject that is not taken from it';
is answers(forged => $ready->($_, '-H', 'X-Remote-User: ada')), '200 ada', "a certificate that something else looks at does not concern the subject in $_"
    for '/unrelated/', '/verify/';
is answers(forged => $ready->('/tenant/', '-H', 'X-Remote-User: ada')), '401', 'a tenant that is taken from a certificate makes the subject one of the certificate';
like $t->log, qr/or of a certificate that is not verified/, 'the log says so';

# --- verified certificates

is answers($_ => ['strict.example', '/']), "200 $_", "a verified certificate names its user $_" for qw(ada bob);
is answers(eve => ['strict.example', '/']), '403', 'a verified certificate of an inactive user is refused';
is answers(bob => ['strict.example', '/admins/']), '403', 'groups count for users of certificates';
is answers(ada => ['strict.example', '/admins/']), '200 ada', 'a member passes';
is answers(undef, ['strict.example', '/']), '401', 'without a certificate there is no user';
is answers(undef, ['strict.example', '/tenant/']), '403', '$ssl_client_verify is no part of a certificate: there is no tenant "NONE"';
is answers(forged => ['strict.example', '/']), '400', 'nginx refuses a certificate that "optional" does not verify';

# --- one connection, several servers

for my $http ('--http2', '--http1.1') {
    my @host = ('-H', 'Host: none.example');
    is answers(ada => $http, ['strict.example', '/', @host]), '401', "$http: a certificate that another server has verified names nobody";
    is answers(ada => $http, ['strict.example', '/header/', @host, '-H', 'X-Remote-User: bob']), '200 bob',
        "$http: it does not concern a subject that is not taken from it";
    is answers(ada => $http, ['none.example', '/', '-H', 'Host: strict.example']), '421',
        "$http: nginx refuses a server that verifies clients on a connection of another one";
    is answers(ada => $http, ['lax.example', '/map/', '-H', 'Host: strict.example']), '421',
        "$http: also on a connection of a server that verifies less";
    is_deeply [answers(ada => $http, ['strict.example', '/'], ['strict.example', '/', @host], ['strict.example', '/'])],
        ['200 ada', '401', '200 ada'], "$http: each request of a connection is judged by its own server";
}
is answers(ada => ['127.0.0.1', '/', '-H', 'Host: strict.example']), '400',
    'nginx refuses a client without a server name, whom the default server has not verified';

# --- HTTP/2

my @body = ('-d', 'x' x 50_000, '-H', 'X-Remote-User: ', '-H', 'Content-Type: text/plain');
is_deeply [answers(eve => ['strict.example', '/', @body], ['strict.example', '/'])], ['403', '403'],
    'HTTP/2: a request with a body is refused, and the next one on the connection, too';
is answers(ada => ['strict.example', '/', @body]), '200 ada', 'HTTP/2: a request with a body passes';
is answers(ada => ['strict.example', '/', '-H', 'x-user: root', '-H', 'X-USER: root']), '200 ada',
    'HTTP/2: the application gets the user once';
my (undef, $load) = $t->run('', qw(nghttp -v -n --no-verify-peer), map("--$_", "cert=" . file('eve.pem'), "key=" . file('eve.key')),
    '-m', 20, '-d', $t->write_file(body => 'x' x 50_000), "https://127.0.0.1:$port/", '-H', ':authority: strict.example');
is scalar(() = $load =~ /:status: (?:403|401|421)/g), 20, 'HTTP/2: 20 refused streams with bodies are each answered' or diag $load;
$t->finish;
