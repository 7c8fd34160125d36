#!/usr/bin/perl
# The examples of the gate (conf-examples/gate-*.conf and conf-examples/include) from end to end: who passes, which headers the
# application gets, and that a client that sends these headers itself, in any spelling, changes nothing. An example that is
# not tested is a failure.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;
use Time::Local ();
use Scim;
use Scim::Examples;
use Scim::Gate;

my $enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my ($t, $port, $scim, %id);    # of the current example

# --- the example and its people

# Starts an example with users and groups (name => [userName, …]). SCIM is served at the address $endpoint. The application
# is an echo unless there is other code for it. X_User is not dropped by nginx, so that the gate has to remove it.
sub example {
    my ($text, $endpoint, $groups, %o) = @_;
    if ($t) {
        ok $t->quit, 'nginx ends before the next example';
        is join('', $t->complaints), '', 'the previous example has logged no alert, crash or sanitizer report';
    }
    my $token;
    ($t, $port, $token) = Scim::Examples::start("underscores_in_headers on;\n$text", seed => 'acme', files => sub {
        my ($dir) = @_;
        for my $name (qw(users crm)) {
            open my $f, '>', "$dir/$name.htpasswd" or die $!;
            print $f map "$_:{PLAIN}secret\n", qw(ada bob eve zoe);
        }
        $o{files}->($dir) if $o{files};
    });
    $scim = Scim::Client->new(port => $t->port($port->{$endpoint}), token => $token, %{ $o{scim} // {} });
    my %more = (
        ada => { externalId => 'oid-1', displayName => 'Ada Lovelace', title => 'Countess', userType => 'Employee',
            emails => [{ value => 'home@example.com', type => 'home' }, { value => 'ada@example.com', type => 'work' }],
            roles => [{ value => 'auditor' }], phoneNumbers => [{ value => '+44 1', type => 'work' }, { value => '+44 2', type => 'home' }],
            $enterprise => { department => 'R;D' } },
        bob => { externalId => 'oid-2' },
        eve => { externalId => 'oid-3', active => $false },
    );
    $id{$_} = created(Users => "urn:ietf:params:scim:schemas:core:2.0:User", { userName => $_, active => $true, %{ $more{$_} } })
        for sort keys %more;
    $id{$_} = created(Groups => "urn:ietf:params:scim:schemas:core:2.0:Group",
        { displayName => $_, members => [map +{ value => $id{$_} }, @{ $groups->{$_} }] }) for sort keys %$groups;
    return Scim::Gate::application('http', port => $t->port($port->{'127.0.0.1:3000'}), answer => $o{application});
}

sub created {
    my ($endpoint, $schema, $body) = @_;
    my @schemas = ($schema, grep /^urn:/, keys %$body);
    my $r = $scim->request(POST => "/scim/v2/$endpoint", host => 'id.example.com', json => { schemas => \@schemas, %$body });
    $r->{status} == 201 or die "POST /scim/v2/$endpoint: $r->{status} $r->{body} " . ($r->{error} // '');
    return $r->{json}{id};
}

sub patched {
    my ($path, $op, $name) = @_;
    my $r = $scim->request(PATCH => "/scim/v2/$path", host => 'id.example.com', json => {
        schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [$op] });
    return like $r->{status}, qr/^20[04]$/, $name;
}

sub deactivated {
    my ($user) = @_;
    return patched("Users/$id{$user}", { op => 'replace', path => 'active', value => $false }, "the identity provider deactivates $user");
}

# --- requests

sub basic { my ($user) = @_; return (Authorization => 'Basic ' . encode_base64("$user:secret", '')) }

# Sends a request to an address of the example.
sub ask {
    my ($address, $method, $path, @headers) = @_;
    my %o = ref $headers[0] ? %{ shift @headers } : ();
    return $t->request($method, $path, port => $port->{$address}, headers => \@headers, %o);
}

# Checks that the application behind $path gets these headers, and gets the same ones if the client sends each of them
# itself, in each spelling. `$send->(@headers)` sends a request of one user with more headers.
sub gets {
    my ($send, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $shown = sub {
        my ($r) = @_;
        return "$r->{status}: " . join ', ', map "$_=" . Scim::Gate::cgi_value($r->{body}, $_), sort keys %$expected;
    };
    my $want = '200: ' . join ', ', map "$_=$expected->{$_}", sort keys %$expected;
    is $shown->($send->()), $want, "$name: the application gets the headers";
    my @wrong;
    for my $header (sort keys %$expected) {
        for my $spelling ($header, lc $header, uc $header, map tr/-/_/r, $header, lc $header, uc $header) {
            my $r = $send->($spelling => 'root');
            push @wrong, "$spelling: " . $shown->($r) if $shown->($r) ne $want;
            $r = $send->($spelling => 'root', $spelling => 'admin');
            push @wrong, "$spelling twice: " . $shown->($r) if $shown->($r) ne $want;
        }
    }
    is join("\n", @wrong), '', "$name: headers of the client change nothing, in any spelling";
    return;
}

# The names that the scim_header directives of a text set.
sub headers_of { my ($text) = @_; return join ' ', sort $text =~ /^ *scim_header (\S+)/mg }

my %test;

# --- gate-auth-request.conf

# What oauth2-proxy answers: the cookie names the user.
sub oauth2_proxy {
    my ($text) = @_;
    my ($user) = $text =~ /^Cookie=_oauth2_proxy=(\S+)/mi;
    return (200, [], "sign in: $text") if $text !~ m{^REQUEST=GET /oauth2/auth };
    my %oid = (ada => 'oid-1', bob => 'oid-2', eve => 'oid-3', zoe => 'oid-4');
    return $user ? (202, ["X-Auth-Request-User: sub-$user", "X-Auth-Request-Email: $oid{$user}"], '') : (401, [], '');
}

$test{'gate-auth-request.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', {});
    my $proxy = Scim::Gate::application('http', port => $t->port($port->{'127.0.0.1:4180'}), answer => \&oauth2_proxy);
    my $get = sub { my ($user, @more) = @_; return ask('127.0.0.1:8080', GET => '/page', Cookie => "_oauth2_proxy=$user", @more) };
    my $include = Scim::Examples::slurp('include/remote-user.conf');
    my %headers = ('Remote-User' => 'ada', 'Remote-Groups' => '', 'Remote-Name' => 'Ada Lovelace', 'Remote-Email' => 'ada@example.com');
    is join(' ', sort keys %headers), headers_of($include), 'all headers of the example are tested';
    gets(sub { $get->('ada', @_) }, \%headers, 'a user who has signed in');
    is $get->('eve')->{status}, 403, 'an inactive user who has signed in is refused with 403';
    is $get->('zoe')->{status}, 403, 'a user who has signed in and is unknown to the directory is refused with 403';
    my $r = ask('127.0.0.1:8080', GET => '/page', 'X-Auth-Request-Email' => 'oid-1', 'Remote-User' => 'ada', 'Remote_User' => 'ada');
    like $r->{body}, qr{^sign in: }, 'nobody who has not signed in passes with headers alone';
    is Scim::Gate::cgi_value($r->{body}, 'Remote-User'), '', 'oauth2-proxy gets no headers of the client either';
    like $r->{body}, qr{^X-Auth-Request-Redirect=/page$}m, 'oauth2-proxy learns where to return to';
    like ask('127.0.0.1:8080', GET => '/oauth2/start')->{body}, qr{^sign in: REQUEST=GET /oauth2/start}, '/oauth2/ is exempt';
    is ask('127.0.0.1:8080', GET => '/oauth2/auth', Cookie => '_oauth2_proxy=ada')->{status}, 404, '/oauth2/auth is internal';
    is ask('127.0.0.1:8080', GET => '/scim/v2/Users')->{status}, 401, 'the SCIM endpoint has its own authentication';
    is $get->('bob')->{status}, 200, 'an active user passes';
    deactivated('bob');
    is $get->('bob')->{status}, 403, 'the next request with the same cookie is refused with 403';
};

# --- gate-session.conf, gate-jwt.conf

# The second of a user's not-before.
sub not_before {
    my ($user) = @_;
    my $shown = $Scim::json->decode(($t->scimctl('--json', qw(user show --tenant acme), $id{$user}))[1]);
    my ($y, $m, $d, $h, $min, $s) = $shown->{notBefore} =~ /\A(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/ or die 'no notBefore';
    return Time::Local::timegm($s, $min, $h, $d, $m - 1, $y);
}

# Checks that a session ends with a deactivation and with revoke, and stays so. `$get->($user, $auth_time)` is a request.
sub sessions_end {
    my ($get, $refused) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $stolen = not_before('ada') + 1;
    is $get->('ada', $stolen)->{status}, 200, 'a session passes';
    is $get->('ada', not_before('ada') - 1)->{status}, $refused, 'a session from before the creation of the user is refused';
    is $get->('ada', 'later')->{status}, $refused, 'a time that is no number is refused';
    is +($t->scimctl(qw(user revoke --tenant acme), $id{ada}))[0], 0, 'the sessions of the user are revoked';
    $stolen = not_before('ada');
    is $get->('ada', $stolen)->{status}, $refused, 'the next request of the session is refused';
    is $get->('ada', $stolen + 1)->{status}, 200, 'a session after another login passes';
    deactivated('ada');
    $stolen = not_before('ada');
    is $get->('ada', $stolen + 1)->{status}, 403, 'a deactivated user is refused with 403';
    patched("Users/$id{ada}", { op => 'replace', path => 'active', value => $true }, 'the identity provider activates the user again');
    is $get->('ada', $stolen)->{status}, $refused, 'a session from before the deactivation stays refused';
    is $get->('ada', $stolen + 1)->{status}, 200, 'a new session passes';
    return;
}

# As oauth2_proxy() with --oidc-groups-claim=auth_time; the cookie is USER-AUTH_TIME.
sub oauth2_proxy_with_time {
    my ($text) = @_;
    my ($user, $time) = $text =~ /^Cookie=_oauth2_proxy=(\w+)-(\w*)/mi;
    my ($status, $headers, $body) = oauth2_proxy($text =~ s/^(Cookie=_oauth2_proxy=\w+)-.*$/$1/mir);
    push @$headers, "X-Auth-Request-Groups: $time" if $status == 202;
    return ($status, $headers, $body);
}

$test{'gate-session.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', {});
    my $proxy = Scim::Gate::application('http', port => $t->port($port->{'127.0.0.1:4180'}), answer => \&oauth2_proxy_with_time);
    my $get = sub {
        my ($user, $time, @more) = @_;
        my $r = ask('127.0.0.1:8080', GET => '/page', Cookie => "_oauth2_proxy=$user-$time", @more);
        $r->{status} = 'sign out' if $r->{body} =~ m{^sign in: REQUEST=GET /oauth2/sign_out\?rd=%2Foauth2%2Fsign_in };
        return $r;
    };
    my %headers = ('Remote-User' => 'ada', 'Remote-Groups' => '', 'Remote-Name' => 'Ada Lovelace', 'Remote-Email' => 'ada@example.com');
    gets(sub { $get->('ada', not_before('ada') + 1, @_) }, \%headers, 'a user who has signed in');
    is $get->('ada', '')->{status}, 'sign out', 'a session without auth_time is ended';
    is $get->('ada', '', 'X-Auth-Request-Groups' => not_before('ada') + 1)->{status}, 'sign out', 'a time that the client sends does not count';
    sessions_end($get, 'sign out');
};

# A service that verifies tokens and answers with their claims: "Bearer USER.AUTH_TIME" stands for a token.
sub token_claims {
    my ($text) = @_;
    my ($user, $time) = $text =~ /^Authorization=Bearer (\w+)\.(\w*)$/mi or return (401, [], '');
    my %oid = (ada => 'oid-1', bob => 'oid-2', eve => 'oid-3');
    return (200, ["X-Jwt-Oid: $oid{$user}", length $time ? "X-Jwt-Auth-Time: $time" : ()], '');
}

$test{'gate-jwt.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', {});
    my $verifier = Scim::Gate::application('http', port => $t->port($port->{'127.0.0.1:4181'}), answer => \&token_claims);
    my $get = sub { my ($user, $time, @more) = @_; return ask('127.0.0.1:8080', GET => '/page', Authorization => "Bearer $user.$time", @more) };
    is headers_of($text), 'X-User-Id', 'all headers of the example are tested';
    gets(sub { $get->('ada', not_before('ada') + 1, @_) }, { 'X-User-Id' => $id{ada} }, 'a user with a token');
    is $get->('ada', '')->{status}, 401, 'a token without auth_time is refused';
    is $get->('eve', not_before('eve') + 1)->{status}, 403, 'an inactive user is refused with 403';
    my $machine = sub { my ($time) = @_; return ask('127.0.0.1:8080', GET => '/machines/x', Authorization => "Bearer bob.$time")->{status} };
    is $machine->(''), 200, 'a token without auth_time passes where it is optional';
    is $machine->(not_before('bob')), 401, 'an old one does not';
    sessions_end($get, 401);
};

# --- gate-mtls.conf

sub client_certificate {
    my ($dir, $name, $subject) = @_;
    my $said = qx(openssl req -x509 -newkey rsa:2048 -nodes -subj '$subject' -days 2 -keyout $dir/$name.key -out $dir/$name.pem 2>&1);
    $? == 0 or die $said;
    return Scim::_slurp("$dir/$name.pem");
}

$test{'gate-mtls.conf'} = sub {
    my ($text) = @_;
    my $certificates = sub {
        my ($dir) = @_;
        Scim::Examples::certificate($dir);
        my %subject = (ada => '/O=acme/CN=ada', bob => '/CN=bob', eve => '/CN=eve', other => '/CN=bob/O=x,CN=ada', two => '/CN=ada+OU=x');
        open my $f, '>', "$dir/clients-ca.pem" or die $!;
        print $f map client_certificate($dir, $_, $subject{$_}), sort keys %subject;
        close $f or die $!;
        client_certificate($dir, 'stranger', '/CN=ada');
    };
    my $application = example($text, '443', {}, files => $certificates, scim => { tls => { SSL_hostname => 'id.example.com' } });
    my $get = sub {
        my ($user, @more) = @_;
        my %tls = (SSL_hostname => 'app.example.com',
            $user ? (SSL_cert_file => "$t->{dir}/$user.pem", SSL_key_file => "$t->{dir}/$user.key") : ());
        return ask('443', 'GET', '/', { tls => \%tls }, Host => 'app.example.com', @more);
    };
    my %headers = ('X-User' => 'ada', 'X-User-Id' => $id{ada});
    is join(' ', sort keys %headers), headers_of($text), 'all headers of the example are tested';
    gets(sub { $get->('ada', @_) }, \%headers, 'a client with a certificate');
    is $get->('eve')->{status}, 403, 'an inactive user with a valid certificate is refused with 403';
    is $get->('')->{status}, 400, 'a client without a certificate is refused with 400';
    is $get->('stranger')->{status}, 400, 'a client with a certificate of another authority is refused with 400';
    is $get->($_)->{status}, 401, "a certificate whose subject does not begin with a plain common name ($_) names nobody" for qw(other two);
    my $r = ask('443', 'GET', '/', { tls => { SSL_hostname => 'id.example.com' } }, Host => 'app.example.com');
    is $r->{status}, 421, 'a connection without a certificate, for the other host name, is refused with 421';
    deactivated('ada');
    is $get->('ada')->{status}, 403, 'the next request with the same certificate is refused with 403';
};

# --- gate-legacy.conf

$test{'gate-legacy.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', { 'crm-users' => ['ada', 'eve'], 'crm-admins' => ['ada'], 'crm-a;b' => ['ada'],
        Others => ['ada', 'bob'] });
    my $get = sub { my ($user, @more) = @_; return ask('127.0.0.1:8080', GET => '/', basic($user), @more) };
    my %headers = ('X-User' => 'ada', 'X-User-Id' => $id{ada}, 'X-Email' => 'ada@example.com', 'X-Department' => 'R%3BD',
        'X-Phone' => '+44 1', 'X-Groups' => 'crm-a%3Bb;crm-admins;crm-users', 'X-Name-Base64' => encode_base64('Ada Lovelace', '') =~ tr/=//dr);
    is join(' ', sort keys %headers), headers_of($text), 'all headers of the example are tested';
    my $sorted = sub {
        my $r = $get->('ada', @_);
        $r->{body} =~ s/^(X-Groups=)(.*)$/$1 . join ';', sort split m{;}, $2/me;
        return $r;
    };
    gets($sorted, \%headers, 'a user with a password');
    unlike $get->('ada')->{body}, qr/^Authorization=/mi, 'the application does not see the password';
    is $get->('bob')->{status}, 403, 'a user who is not in the group is refused with 403';
    is $get->('eve')->{status}, 403, 'an inactive member of the group is refused with 403';
    is $get->('zoe')->{status}, 403, 'a user with a password and without a record is refused with 403';
    is ask('127.0.0.1:8080', GET => '/', 'X-User' => 'ada')->{status}, 401, 'nobody passes without a password';
};

# --- gate-groups.conf

$test{'gate-groups.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', { Admins => ['ada', 'bob'], Editors => [], Developers => ['bob'], Finance => [] });
    my $inner = created(Groups => 'urn:ietf:params:scim:schemas:core:2.0:Group', { displayName => 'Inner', members => [{ value => $id{bob} }] });
    patched("Groups/$id{Editors}", { op => 'add', path => 'members', value => [{ value => $inner }] }, 'a group is nested');
    my $is = sub {
        my ($method, $path, $user, $status) = @_;
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        my $r = ask('127.0.0.1:8080', $method, $path, $user ? basic($user) : ());
        is $r->{status}, $status, "$method $path by " . ($user || 'nobody') . " is answered with $status";
    };
    $is->(@$_) for ['GET', '/', 'ada', 200], ['GET', '/', 'bob', 200], ['GET', '/', 'eve', 403], ['GET', '/', '', 401],
        ['GET', '/finance/', 'ada', 200], ['GET', '/finance/', 'bob', 404],
        ['GET', '/admin/', 'ada', 200], ['GET', '/admin/', 'bob', 403],
        ['GET', '/wiki/', 'ada', 200], ['PUT', '/wiki/', 'ada', 403], ['PUT', '/wiki/', 'bob', 200], ['HEAD', '/wiki/', 'ada', 200],
        ['POST', '/api/', 'bob', 200], ['POST', '/api/', 'ada', 403], ['GET', '/api/', '', 401], ['OPTIONS', '/api/', '', 200],
        ['PROPFIND', '/api/', '', 405], ['FOO', '/api/', '', 405], ['get', '/api/', '', 400],
        ['GET', '/public/', '', 200], ['GET', '/scim/v2/Users', '', 401];
    my %headers = ('X-User' => 'ada', 'X-Groups' => 'Admins');
    is join(' ', sort keys %headers), headers_of($text), 'all headers of the example are tested';
    for my $path (qw(/ /finance/ /wiki/)) {
        gets(sub { ask('127.0.0.1:8080', GET => $path, basic('ada'), @_) }, \%headers, "GET $path");
    }
    my %empty = map { $_ => '' } keys %headers;
    gets(sub { ask('127.0.0.1:8080', GET => '/public/', @_) }, \%empty, 'GET /public/');
    gets(sub { ask('127.0.0.1:8080', OPTIONS => '/api/', @_) }, \%empty, 'OPTIONS /api/');
};

# --- gate-decide.conf and gate-decide-nginx.conf

# The request that the application gets from Traefik: oauth2-proxy's ForwardAuth has answered with this subject, then the
# gate's ForwardAuth is asked. authResponseHeaders replace the client's copies, in the spelling that Go gives them, and
# customRequestHeaders remove the names with "_" (docs/gateway.md). 2xx passes, everything else is the answer.
sub traefik {
    my ($subject, @headers) = @_;
    my $removes = sub {
        my ($request, @names) = @_;
        my %gone = map { lc $_ => 1 } @names;
        return [map { $gone{ lc $request->[ 2 * $_ ] } ? () : @$request[2 * $_, 2 * $_ + 1] } 0 .. @$request / 2 - 1];
    };
    my @enriched = qw(X-User X-User-Id X-Groups);
    my $request = $removes->(\@headers, 'X-Auth-Request-Email', map tr/-/_/r, @enriched, 'X-Auth-Request-Email');
    push @$request, 'X-Auth-Request-Email' => $subject;
    my $r = ask('127.0.0.1:8081', GET => '/', @$request, 'X-Forwarded-Method' => 'POST', 'X-Forwarded-Uri' => '/page');
    return $r if $r->{status} !~ /^2/;
    $request = $removes->($request, @enriched);
    push @$request, map { defined $r->{headers}{ lc $_ } ? ($_ => $r->{headers}{ lc $_ }) : () } @enriched;
    return ask('127.0.0.1:3000', POST => '/page', @$request);
}

# The same for Envoy: header_mutation removes the client's copies, headers with "_" are dropped, ext_authz sends the method
# and the path of the client without its body, and only the status 200 passes.
sub envoy {
    my ($subject, $path, @headers) = @_;
    my @enriched = qw(X-User X-User-Id X-Groups);
    my %gone = map { lc $_ => 1 } @enriched, 'X-Auth-Request-Email';
    my @request = map { $headers[ 2 * $_ ] =~ /_/ || $gone{ lc $headers[ 2 * $_ ] } ? () : @headers[2 * $_, 2 * $_ + 1] } 0 .. @headers / 2 - 1;
    my $r = ask('127.0.0.1:8081', PUT => $path, 'X-Auth-Request-Email' => $subject, 'Content-Length' => 0);
    return $r if $r->{status} != 200;
    push @request, map { defined $r->{headers}{ lc $_ } ? ($_ => $r->{headers}{ lc $_ }) : () } @enriched;
    return ask('127.0.0.1:3000', PUT => '/page', @request);
}

$test{'gate-decide.conf'} = $test{'gate-decide-nginx.conf'} = sub {
    my $text = join '', map Scim::Examples::slurp($_), 'gate-decide.conf', 'gate-decide-nginx.conf';
    my $application = example($text, '127.0.0.1:8083', { Admins => ['ada', 'eve'] });
    my %headers = ('X-User' => 'ada', 'X-User-Id' => $id{ada}, 'X-Groups' => 'Admins');
    is join(' ', sort keys %headers), join(' ', sort { $a cmp $b } do { my %n = map { $_ => 1 } $text =~ /^ *add_header (\S+)/mg; keys %n }),
        'all headers of the example are tested';
    gets(sub { traefik('oid-1', @_) }, \%headers, 'Traefik');
    gets(sub { envoy('oid-1', '/page', @_) }, \%headers, 'Envoy');
    gets(sub { traefik('oid-2', @_) }, { 'X-User' => 'bob', 'X-User-Id' => $id{bob}, 'X-Groups' => '' }, 'Traefik, a user without groups');
    gets(sub { envoy('oid-2', '/page', @_) }, { 'X-User' => 'bob', 'X-User-Id' => $id{bob}, 'X-Groups' => '' }, 'Envoy, a user without groups');
    is traefik('oid-3')->{status}, 403, 'Traefik: an inactive user is refused with 403';
    is traefik('oid-1', 'X-Auth-Request-Email' => 'oid-2')->{status}, 200, 'Traefik: the subject of the client is replaced';
    is ask('127.0.0.1:8081', GET => '/', 'X-Auth-Request-Email' => 'oid-2', 'X_Auth_Request_Email' => 'oid-1')->{status}, 403,
        'a subject that arrives in two spellings is refused with 403';
    is ask('127.0.0.1:8081', GET => '/')->{status}, 401, 'a request without a subject is refused with 401';
    like envoy('oid-3', $_)->{status}, qr/^40[03]$/, "Envoy: an inactive user is refused at $_"
        for '/page', '/../x', '/%2e%2e/scim/v2/ServiceProviderConfig', '/scim/v2/ServiceProviderConfig', '//';

    my $get = sub { my ($user, @more) = @_; return ask('127.0.0.1:8080', GET => '/page', basic($user), @more) };
    delete $headers{'X-User-Id'};
    gets(sub { $get->('ada', @_) }, \%headers, 'another nginx');
    is $get->('bob', 'X-Subject' => 'ada', 'X_Subject' => 'ada')->{status}, 403,
        'another nginx: a user who is not in the group is refused with 403, whatever the client sends';
    is $get->('eve')->{status}, 403, 'another nginx: an inactive member of the group is refused with 403';
    is ask('127.0.0.1:8080', GET => '/page')->{status}, 401, 'another nginx: nobody passes without a password';
    is ask('127.0.0.1:8080', GET => '/gate', basic('ada'))->{status}, 404, 'another nginx: /gate is internal';
    deactivated('ada');
    is traefik('oid-1')->{status}, 403, 'Traefik: the next request is refused with 403';
    is envoy('oid-1', '/page')->{status}, 403, 'Envoy: the next request is refused with 403';
    is $get->('ada')->{status}, 403, 'another nginx: the next request is refused with 403';
};

# --- gate-application.conf

$test{'gate-application.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', {}, application => sub {
        my ($text) = @_;
        my $id = Scim::Gate::cgi_value($text, 'X-User-Id');
        my $r = ask('127.0.0.1:8081', GET => "/scim/v2/Users/$id");
        return (200, [], "${text}title=" . ($r->{json}{title} // "none: $r->{status}"));
    });
    my $get = sub { my ($user, @more) = @_; return ask('127.0.0.1:8080', GET => '/', basic($user), @more) };
    is headers_of($text), 'X-User-Id', 'all headers of the example are tested';
    gets(sub { $get->('ada', @_) }, { 'X-User-Id' => $id{ada} }, 'the id');
    like $get->('ada', 'X_User_Id' => $id{bob})->{body}, qr/title=Countess$/, 'the application reads the user from SCIM';
    is ask('127.0.0.1:8081', DELETE => "/scim/v2/Users/$id{ada}")->{status}, 403, 'the application cannot write';
    is $get->('eve')->{status}, 403, 'an inactive user is refused with 403';
};

# --- gate-dry-run.conf

$test{'gate-dry-run.conf'} = sub {
    my ($text) = @_;
    my $application = example($text, '127.0.0.1:8080', { Staff => ['ada'] });
    my $get = sub { my ($user, @more) = @_; return ask('127.0.0.1:8080', GET => '/page', basic($user), @more) };
    is headers_of($text), 'X-User', 'all headers of the example are tested';
    gets(sub { $get->('ada', @_) }, { 'X-User' => 'ada' }, 'a user who passes');
    gets(sub { $get->('bob', @_) }, { 'X-User' => 'bob' }, 'a user who would be refused');
    gets(sub { $get->('eve', @_) }, { 'X-User' => '' }, 'an inactive user');
    my @lines;
    $t->wait_for(sub { @lines = split /\n/, Scim::_slurp("$t->{dir}/gate.log"); grep / eve$/, @lines });
    my %seen = map { $_ => 1 } @lines;
    is join("\n", sort keys %seen), "allow  /page ada\ndry_run_deny inactive /page eve\ndry_run_deny not_allowed /page bob",
        'the log says who would be refused and why';
    like $t->log, qr/access would be denied: user "bob" of tenant "acme" does not meet "scim_require group=Staff"/,
        'the error log says which requirement does not hold';
    my $conf = Scim::_slurp("$t->{dir}/nginx.conf");
    $conf =~ s/^ *scim_require_dry_run on;\n//m or die;
    $t->write_file('nginx.conf', $conf);
    ok $t->reload(gone => 1), 'nginx is reloaded without the dry run';
    is $get->('ada')->{status}, 200, 'then ada passes';
    is $get->('bob')->{status}, 403, 'then bob is refused with 403';
};

# --- include

my %include = (
    'jenkins.conf' => { 'X-Forwarded-User' => 'ada', 'X-Forwarded-Mail' => 'ada@example.com', 'X-Forwarded-DisplayName' => 'Ada Lovelace',
        'X-Forwarded-Groups' => 'a%7Cb|grafana-editors' },
    'grafana.conf' => { 'X-WEBAUTH-USER' => 'ada', 'X-WEBAUTH-NAME' => 'Ada Lovelace', 'X-WEBAUTH-EMAIL' => 'ada@example.com',
        'X-WEBAUTH-GROUPS' => 'grafana-editors', 'X-WEBAUTH-ROLE' => 'Editor' },
    'gitea.conf' => { 'X-WEBAUTH-USER' => 'ada', 'X-WEBAUTH-EMAIL' => 'ada@example.com', 'X-WEBAUTH-FULLNAME' => 'Ada Lovelace' },
    'remote-user.conf' => { 'Remote-User' => 'ada', 'Remote-Groups' => 'a|b,grafana-editors', 'Remote-Name' => 'Ada Lovelace',
        'Remote-Email' => 'ada@example.com' },
);

sub test_includes {
    my @names = grep $_ ne 'values.conf', Scim::Examples::names('include');
    is join(' ', @names), join(' ', sort keys %include), 'all files of conf-examples/include are tested';
    my $locations = join '', map "location /$_/ { include /etc/nginx/scim/$_; proxy_pass http://127.0.0.1:3000; }\n", @names;
    my $application = example(<<"EOC", '127.0.0.1:8080', { 'a|b' => ['ada'], 'grafana-editors' => ['ada'] });
include /etc/nginx/scim/values.conf;
scim_store main /var/lib/nginx/scim;
server {
    listen 127.0.0.1:8080;
    auth_basic "test";
    auth_basic_user_file /etc/nginx/users.htpasswd;
    scim_subject \$remote_user tenant=acme trusted;
    scim_require active;
    $locations
    location /scim/v2 { auth_basic off; scim main; }
}
EOC
    for my $name (@names) {
        my $expected = $include{$name};
        is join(' ', sort keys %$expected), headers_of(Scim::Examples::slurp("include/$name")), "$name: all headers are tested";
        my $send = sub {
            my ($user, @more) = @_;
            my $r = ask('127.0.0.1:8080', GET => "/$name/", basic($user), @more);
            $r->{body} =~ s/^(\S+-Groups=)(.*?)([|,])(grafana.*)$/$1 . join $3, sort $2, $4/mei if $name ne 'remote-user.conf';
            return $r;
        };
        gets(sub { $send->('ada', @_) }, $expected, $name);
        my %bob = map { $_ => /USER$/i ? 'bob' : '' } keys %$expected;
        gets(sub { $send->('bob', @_) }, \%bob, "$name, a user without groups and names");
    }
}

my %done;
for my $name (grep /^gate-/, Scim::Examples::names()) {
    note $name;
    my $code = $test{$name};
    ok $code, "conf-examples/$name has a test" or next;
    $code->(Scim::Examples::slurp($name)) if !$done{$code}++;
}
is join(' ', grep !-e "$Scim::Examples::dir/$_", sort keys %test), '', 'every tested file is in conf-examples';
note 'include';
test_includes();
$t->finish;
