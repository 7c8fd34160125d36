#!/usr/bin/perl
# Every file of conf-examples/, except those of the gate (093-gate-examples.t), does in a real nginx what its first lines
# say. A file that is not tested is a failure.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;
use Scim::Examples;

my $acme = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
my $badge = { badge => 'B-17', clearance => 3, sites => [{ value => 'Rome', since => '2026-01-01T00:00:00Z', primary => JSON::PP::true }] };
my $ada = { schemas => [$Scim::Check::user_urn, $acme], userName => 'ada', $acme => $badge };
my $users = '/scim/v2/Users';
my $t;

# Starts nginx with an example, after the end of the previous one.
sub example {
    if ($t) {
        ok $t->quit, 'nginx ends before the next example';
        is join('', $t->complaints), '', 'the previous example has logged no alert, crash or sanitizer report';
    }
    ($t) = Scim::Examples::start(@_);
    return $t;
}

sub slurp { return Scim::Examples::slurp(@_) }

# The decoded lines of an access log in the format of log-format.conf, once one of them matches.
sub logged {
    my ($file, $pattern) = @_;
    my @lines;
    $t->wait_for(sub { @lines = split /\n/, Scim::_slurp("$t->{dir}/$file"); grep /$pattern/, @lines });
    return map { eval { $Scim::json->decode($_) } // { bad => $_ } } @lines;
}

# Checks that the base URL is answered with and without a trailing slash, and that a URL without the slash behind it is
# refused with a hint (a location with a regular expression does not match it).
sub base_url_is_served {
    my ($client, $prefix, $total, %headers) = @_;
    for my $path ("$prefix/scim/v2", "$prefix/scim/v2/") {
        is $client->request(GET => $path, headers => \%headers)->{json}{totalResults}, $total,
            "GET $path, the base URL, returns a list";
    }
    is_error $client->request(GET => '/scim/v2Users', headers => \%headers), 404, '', qr/check for a missing slash/,
        'GET /scim/v2Users is refused with a hint at the missing slash'
        if !$prefix;
    return;
}

my %test = (
    'quickstart.conf' => sub {
        my $text = slurp('quickstart.conf');
        my @commands = $text =~ /^#\s+sudo scimctl (.*)/mg;
        example($text)->served($users, port => 1);
        my ($shown) = slurp('../README.md') =~ /^```nginx\n(.*?)^```/ms;
        is $shown, $text =~ s/^ *#.*\n//mgr =~ s/^\n+//r, 'the README shows quickstart.conf without its comments';
        is scalar @commands, 2, 'quickstart.conf has two scimctl commands';
        my ($exit, $token, $err) = $t->scimctl(split ' ', shift @commands);
        is $exit, 0, 'the first scimctl command makes a tenant' or diag $err;
        ($exit, $token, $err) = $t->scimctl(split ' ', shift @commands);
        is $exit, 0, 'the second scimctl command makes a token' or diag $err;
        ($token) = $token =~ /\b(scim_\S+)/;
        my $client = $t->client(port => 1, token => $token);
        my $r = $client->request(POST => $users, body => $Scim::json->encode(Scim::user('ada')) . ' ' x 2_000_000);
        is_user $r, 201, 'POST of 2 MB with the token is answered with 201';
        is_user $client->request(GET => "$users/$r->{json}{id}"), 200, 'GET with the token is answered with 200';
        base_url_is_served($client, '', 1);
        is $t->request(GET => $users, port => 1)->{status}, 401, 'GET without the token is refused with 401';
        is_error $t->request(GET => '/Users', port => 1), 404, '', qr{^the SCIM base URL ends in /scim/v2 },
            'a base URL without /scim/v2 is refused with a SCIM Error';
        ok -e "$t->{dir}/store/data.mdb", 'the store is in the configured directory';
    },
    'log-format.conf' => sub {
        example('include log-format.conf; scim_store main %%DIR%%/store;',
            server => 'access_log %%DIR%%/scim.log scim; location /scim/v2/ { scim main; }')->served($users);
        my $client = $t->client(token => $t->token($t->tenant('acme'), label => 'entra'));
        $client->request(POST => $users, json => Scim::user('ada'));
        my $r = $client->request(POST => $users, json => Scim::user('ada'), headers => { 'User-Agent' => 'a "quoted" name' });
        my @lines = logged('scim.log', qr/"status":409/);
        is scalar(grep $_->{bad}, @lines), 0, 'every line of the access log is JSON' or diag explain \@lines;
        my $last = $lines[-1];
        is_deeply [@$last{qw(status method uri tenant token operation type error agent client)}],
            [409, 'POST', $users, 'acme', 'entra', 'create', 'User', 'uniqueness', 'a "quoted" name', '127.0.0.1'],
            'the line of the conflict has operation, resource, tenant and error' or diag explain $last;
        is index($r->{json}{detail}, $last->{detail}), 0, 'the line of the conflict has the message of the answer';
        like $r->{json}{detail}, qr/\Q$last->{request_id}/, 'the line of the conflict has the request id of the answer';
    },
    'grafana-dashboard.json' => sub {    # its metrics: t/048-status.t
        ok scalar(@{ $Scim::json->decode(slurp('grafana-dashboard.json'))->{panels} }), 'the dashboard has panels';
    },
    'acme-user.json' => sub {
        my $schema = $Scim::json->decode(slurp('acme-user.json'));
        example('scim_store main %%DIR%%/store; scim_schema acme-user.json;', server => 'location /scim/v2/ { scim main; }')
            ->served($users);
        my $client = $t->client(token => $t->token($t->tenant('acme')));
        my $r = $client->request(GET => "/scim/v2/Schemas/$schema->{id}");
        is $r->{status}, 200, 'the schema of acme-user.json is published';
        is_deeply [map "$_->{name} $_->{type}", @{ $r->{json}{attributes} }], [map "$_->{name} $_->{type}", @{ $schema->{attributes} }],
            'the published schema has the attributes of acme-user.json';
        $r = $client->request(POST => $users, json => $ada);
        is_user $r, 201, 'POST with the extension is answered with 201';
        is_deeply $r->{json}{$acme}, $badge, 'the answer to POST has the extension';
        is_error $client->request(POST => $users, json => { %$ada, userName => 'bob', $acme => { clearance => 'high' } }), 400,
            'invalidValue', qr/clearance/, 'POST with a value of another type is refused with 400';
    },
    'custom-types.conf' => sub {    # 038-custom-types.t uses the types
        example(slurp('custom-types.conf'), server => 'location /scim/v2/ { scim main; }')->served($users);
        my $client = $t->client(token => $t->token($t->tenant('acme')));
        my %endpoint = map { $_->{name} => $_->{endpoint} } @{ $client->request(GET => '/scim/v2/ResourceTypes')->{json}{Resources} };
        is_deeply \%endpoint, { User => '/Users', Group => '/Groups', Device => '/Devices', EndpointApp => '/EndpointApps',
            Role => '/Roles', Entitlement => '/Entitlements' }, '/ResourceTypes lists the types of the files';
        is scalar(grep slurp('custom-types.conf') !~ m{scim_schema /etc/nginx/scim/\Q$_\E;}, Scim::Examples::names('schemas')), 0,
            'custom-types.conf has every file of schemas/';
    },
    'all-directives.conf' => sub {
        example(slurp('all-directives.conf'))->served($users);
        my $base = 'https://id.example.com';
        my $token = $t->token($t->tenant('acme'), label => 'entra');
        my $foreign = $t->token($t->tenant('globex'), label => 'okta');
        my $namesake = $t->token('globex', label => 'entra');
        my $client = $t->client(token => $token);
        my $r = $client->request(POST => $users, json => $ada);
        is_user $r, 201, 'POST by a tenant is answered with 201';
        is_deeply $r->{json}{$acme}, $badge, 'the answer to POST has the extension of acme-user.json';
        is $r->{headers}{location}, "$base/scim/v2/Users/$r->{json}{id}", 'Location has the public address';
        my $id = $r->{json}{id};
        base_url_is_served($client, '', 1);
        base_url_is_served($client, '/tenants/acme', 1);
        is $t->request(GET => '/scim/v2', port => 1)->{json}{totalResults}, 1,
            'the address of the application serves the base URL';
        $r = $client->request(GET => "/tenants/acme$users/$id");
        is_user $r, 200, 'GET at the address of the tenant is answered with 200';
        is $r->{headers}{location}, "$base/tenants/acme/scim/v2/Users/$id", 'Location has the address of the tenant';
        is $client->request(GET => "/tenants/globex$users")->{status}, 403,
            'GET at the address of another tenant is refused with 403';
        is $client->request(GET => "/tenants/globex$users", token => $foreign)->{json}{totalResults}, 0,
            'another tenant has no users';
        is $t->request(GET => "$users/$id", port => 1)->{json}{userName}, 'ada', 'the application reads without a token';
        is $t->request(POST => $users, port => 1, json => Scim::user('bob'))->{status}, 403,
            'POST of the application is refused with 403';
        is_error $client->request(POST => $users, body => '{"a":' x 17 . '1' . '}' x 17), 400, 'invalidSyntax', qr/16/,
            'POST with a body nested deeper than scim_max_json_depth is refused with 400';

        my @answers = $client->pipeline(map [GET => "$users/$id"], 1 .. 800);
        my %status;
        $status{ $_->{status} }++ for @answers;
        is join(' ', sort keys %status), '200 429',
            "a burst beyond the rate limit is refused with 429 ($status{200} were answered with 200)";
        my ($limited) = grep $_->{status} == 429, @answers;
        is_error $limited, 429, '', qr/\w/, 'the 429 is a SCIM Error';
        like $limited->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'the 429 has Retry-After in seconds';
        is $t->request(GET => $users, token => $foreign)->{status}, 200,
            'a token with another label is served during the burst';
        is $t->request(GET => $users, token => $namesake)->{status}, 200,
            'a token of another tenant with the same label is served during the burst';
        my @lines = logged('scim.log', qr/"token":"okta".*"status":200|"status":200.*"token":"okta"/);
        is join(' ', sort keys %{ { map { $_->{token} => 1 } grep length $_->{token}, @lines } }), 'entra okta',
            'the access log has the labels of the tokens';
    },
    'production-tls.conf' => sub {
        my $text = slurp('production-tls.conf');
        # a smaller burst, so that only the bursts below exceed it
        $text =~ s/burst=200/burst=60/;
        example($text, files => \&Scim::Examples::certificate)->served($users, port => 1, tls => 1);
        my $token = $t->token($t->tenant('acme'), label => 'entra');
        my $client = $t->client(port => 1, tls => 1, token => $token);
        my $r = $client->request(POST => $users, body => $Scim::json->encode(Scim::user('ada')) . ' ' x 2_000_000);
        is_user $r, 201, 'POST of 2 MB over TLS is answered with 201';
        is $r->{headers}{location}, "https://id.example.com$users/$r->{json}{id}", 'Location has the public address';
        is_error $client->request(POST => $users, body => ' ' x (17 << 20)), 413, '', qr/client_max_body_size/,
            'POST of a body beyond client_max_body_size is refused with 413';
        base_url_is_served($client, '', 1);

        my $raw = sub {
            my $client = $t->client(port => 1, tls => 1);
            $client->write($_[0]) or diag $client->{error};
            return $client->receive;
        };
        my $host = 'Host: id.example.com';
        is_error $raw->("GET $users\x01 HTTP/1.1\r\n$host\r\n\r\n"), 400, '', qr/not valid HTTP/,
            'an invalid request line is refused with 400';
        is_error $raw->("nonsense\r\n\r\n"), 400, '', qr/not valid HTTP/, 'a request that is not HTTP is refused with 400';
        is_error $raw->("GET $users HTTP/1.1\r\n\r\n"), 400, '', qr/not valid HTTP/,
            'a request without Host is refused with 400';
        is_error $raw->("GET $users?filter=" . 'x' x 40_000 . " HTTP/1.1\r\n$host\r\n\r\n"), 414, '',
            qr/request line is longer than large_client_header_buffers/,
                'a request line that is too long is refused with 414';
        is_error $raw->("GET $users HTTP/1.1\r\n$host\r\nX-Long: " . 'x' x 40_000 . "\r\n\r\n"), 431, '',
            qr/headers are larger than large_client_header_buffers/, 'a header that is too long is refused with 431';
        is_error $raw->("TRACE $users HTTP/1.1\r\n$host\r\n\r\n"), 405, '', qr/method/, 'TRACE is refused with 405';
        is_error $raw->("GET $users HTTP/3.0\r\n$host\r\n\r\n"), 505, '', qr/version of HTTP/,
            'HTTP/3.0 is refused with 505';
        is_error $raw->("POST $users HTTP/1.1\r\n$host\r\nTransfer-Encoding: gzip\r\n\r\n"), 501, '',
            qr/Transfer-Encoding other than chunked/, 'a transfer encoding other than chunked is refused with 501';
        is_error $raw->("GET $users%00 HTTP/1.1\r\n$host\r\n\r\n"), 400, '', qr/not valid HTTP/,
            'an address with a zero byte is refused with 400';
        is_error $t->request(GET => $users, port => 1), 400, '', qr/plain HTTP/,
            'plain HTTP on the TLS port is refused with 400';
        is_error $client->request(GET => '/Users'), 404, '', qr{base URL is https://id\.example\.com/scim/v2 },
            'an address outside the base URL is refused with 404';
        is $client->request(GET => '/scim-error')->{status}, 404, 'the internal location for errors is not served';
        is_error $client->request(GET => '/scim/v2/Nothing'), 404, '', qr/\w/,
            'an unknown endpoint is refused with 404 by the module';

        my @answers = $client->pipeline(map [GET => "$users?count=0"], 1 .. 200);
        my ($limited) = grep $_->{status} == 429, @answers;
        is_error $limited, 429, '', qr/limit/, 'a burst of one token is refused with 429';
        cmp_ok scalar(grep $_->{status} == 200, @answers), '>', 40,
            'more than 40 requests of the burst are answered with 200';
        like $limited->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'the 429 has Retry-After';
        is $t->request(GET => "$users?count=0", port => 1, tls => 1, token => $t->token($t->tenant('globex'), label => 'entra'))->{status},
            200, 'a token of another tenant with the same label is served during the burst';
        $client = $t->client(port => 1, tls => 1, token => 'guess');
        @answers = $client->pipeline(map [GET => $users], 1 .. 60);
        is join(' ', sort keys %{ { map { $_->{status} => 1 } @answers } }), '401 429',
            'a burst without a valid token is refused with 429';
        is $t->request(GET => "$users?count=0", port => 1, tls => 1, token => $t->token('acme', label => 'okta'))->{status}, 200,
            'another token is served during the burst without a valid token';
        my @lines = logged('scim.log', qr/"status":431/);
        is scalar(grep $_->{bad}, @lines), 0, 'every line of the access log is JSON';
    },
    'multi-tenant.conf' => sub {
        example(slurp('multi-tenant.conf'))->served($users, port => 1);
        my %token = map { $_ => $t->token($t->tenant($_)) } qw(acme globex);
        my $ask = sub {
            my ($tenant, $port, $path, %headers) = @_;
            return $t->request(GET => $path, port => $port, token => $token{$tenant}, headers => \%headers);
        };
        my $r = $t->request(POST => $users, port => 1, token => $token{acme}, json => Scim::user('ada'));
        is_user $r, 201, 'POST of a tenant is answered with 201';
        my $id = $r->{json}{id};
        my $base = 'https://id.example.com';
        for (
            ['one URL for all', 1, '', {}, "$base/scim/v2", 404],
            ['by path', 1, '/t/acme', {}, "$base/t/acme/scim/v2", 403],
            ['by host', 1, '', { Host => 'acme.scim.example.com' }, 'https://acme.scim.example.com/scim/v2', 403],
            ['by header', 2, '', { 'X-Tenant' => 'acme' }, "$base/scim/v2", 403],
        ) {
            my ($name, $port, $prefix, $headers, $url, $others) = @$_;
            $r = $ask->('acme', $port, "$prefix$users/$id", %$headers);
            is_user $r, 200, "$name: GET of a user of the tenant is answered with 200";
            is $r->{headers}{location}, "$url/Users/$id", "$name: Location has the address of the tenant";
            is $ask->('globex', $port, "$prefix$users/$id", %$headers)->{status}, $others,
                "$name: GET of a user of another tenant is refused with $others";
            base_url_is_served($t->client(port => $port, token => $token{acme}), $prefix, 1, %$headers);
        }
        is $ask->('acme', 2, $users)->{status}, 403, 'a request without the header is refused with 403';
        is $ask->('globex', 1, $users, Host => 'globex.scim.example.com')->{json}{totalResults}, 0,
            'another tenant has its own host and no users';
    },
);

for my $name (grep !/^gate-/, Scim::Examples::names()) {    # t/093-gate-examples.t
    note $name;
    $test{$name} ? $test{$name}->() : fail "conf-examples/$name has a test";
}
is join(' ', grep !-e "$Scim::Examples::dir/$_", sort keys %test), '', 'every tested file is in conf-examples';

$t->finish;
