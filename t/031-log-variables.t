#!/usr/bin/perl
# The shipped log_format describes each request as valid JSON: operation, resource, tenant, token label and the reason of an
# error. $scim_token_label and $scim_tenant can be used as keys of limit_req.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd qw(abs_path);
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $format = abs_path("$FindBin::Bin/../conf-examples/log-format.conf");
my $t = Scim->new(http => <<"EOC", server => <<'EOS');
    scim_store main %%DIR%%/store;
    include $format;
    limit_req_zone \$scim_token_label zone=label:64k rate=1r/m;
    limit_req_zone \$scim_tenant zone=tenant:64k rate=1r/m;
EOC
    access_log %%DIR%%/scim.log scim;
    location /scim/v2/ { scim main; client_max_body_size 1k; }
    location /rfc/ { scim main; scim_profile rfc; }
    location /off/ { scim main; scim_auth off; scim_tenant acme; }
    location /denied/ { scim main; deny all; }
    location /by-label/ { scim main; limit_req zone=label; limit_req_status 429; }
    location /by-tenant/ { scim main; limit_req zone=tenant; limit_req_status 429; }
    location / { return 200 "$scim_operation$scim_tenant$scim_token_label$scim_detail."; }
EOS
my $token = $t->seed('acme', label => 'Okta "prod" ü');
my $other = $t->token('acme', label => 'entra');
my $foreign = $t->token($t->tenant('globex'), label => 'entra');
$t->start;
my $c = $t->client(token => $token);
my $base = '/scim/v2/Users';
my $lines = 0;

# The next line of the access log, decoded; it belongs to the request that has just been answered.
sub line {
    my $text;
    $t->wait_for(sub {
        open my $f, '<', "$t->{dir}/scim.log" or return;
        my @all = <$f>;
        $text = $all[$lines] if @all > $lines && $all[$lines] =~ /\n\z/;
    }) or return {};
    $lines++;
    return eval { $Scim::json->decode($text) } // do { diag "no JSON: $text"; {} };
}

# Sends a request and checks that its log line has these members and no unknown ones.
my %known = map { $_ => 1 } qw(time request_id client agent method uri status tenant token operation type id error error_id detail
    dialect seconds);
sub logged {
    my ($request_name, $request, %expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $c->request(@$request);
    my $line = line();
    %expected = (tenant => 'acme', token => 'Okta "prod" ü', operation => '', type => '', id => '', error => '', dialect => '',
        status => $r->{status}, method => $request->[0], %expected);
    my $detail = delete $expected{detail} // qr/^\z/;
    my @wrong = grep !exists $known{$_} || ref $line->{$_}, keys %$line;
    for (sort keys %expected) {
        my $got = $line->{$_} // '(missing)';
        utf8::encode($got);
        push @wrong, "$_: $got, not $expected{$_}" if $got ne $expected{$_};
    }
    push @wrong, 'detail: ' . ($line->{detail} // '') if ($line->{detail} // '') !~ $detail || $line->{detail} =~ /\(request/;
    push @wrong, 'error_id' if ($r->{status} >= 400) != (($line->{error_id} // '') ne '');
    push @wrong, 'request_id' if $r->{status} >= 400 && $r->{body} !~ /\(request $line->{request_id}\)/;
    push @wrong, 'seconds is no number' if ($line->{seconds} // '') !~ /^[0-9.]+\z/;
    ok !@wrong, "the log line of $request_name describes the request" or diag join "\n", @wrong;
    return $r;
}

my $bob = { schemas => [$user], userName => 'bob' };
my $r = $c->request(POST => $base, json => $bob);
my $id = $r->{json}{id};
my $line = line();
is "@$line{qw(operation type id status)}", "create User $id 201",
    'the log line of a POST has operation, type, id and status';
is_deeply [sort keys %$line], [sort keys %known], 'the log line has all members of the format';
my @of = (type => 'User', id => $id);
logged 'a GET' => [GET => "$base/$id"], operation => 'get', @of;
logged 'a HEAD' => [HEAD => "$base/$id"], operation => 'get', @of;
logged 'a GET answered with 304' => [GET => "$base/$id", headers => { 'If-None-Match' => '*' }],
    operation => 'get', @of, status => 304;
logged 'a list' => [GET => $base], operation => 'list', type => 'User';
logged 'a list made on a thread' => [GET => "$base?count=500"], operation => 'list', type => 'User';
logged 'a PUT' => [PUT => "$base/$id", json => { %$bob, title => 'x' }], operation => 'replace', @of;
logged 'a GET of /Schemas' => [GET => '/scim/v2/Schemas'], operation => 'discovery';
logged 'an invalid filter' => [GET => "$base?filter=x"],
    operation => 'list', type => 'User', error => 'invalidFilter', detail => qr/filter/;
logged 'a POST answered with 409' => [POST => $base, json => $bob],
    operation => 'create', type => 'User', error => 'uniqueness',
    detail => qr/^userName "bob" is taken by the User \Q$id\E\z/;
logged 'a PUT with a stale If-Match' => [PUT => "$base/$id", json => $bob, headers => { 'If-Match' => '"x"' }],
    operation => 'replace', @of,
    detail => qr/^If-Match is /;
logged 'a GET of an unknown user' => [GET => "$base/bob"],
    operation => 'get', type => 'User', id => 'bob', detail => qr/no User with the id "bob"/;
logged 'a GET of an unknown endpoint' => [GET => '/scim/v2/users'], operation => 'unknown', detail => qr/did you mean/;
logged 'a method that is not allowed' => [DELETE => $base],
    operation => 'unknown', type => 'User', detail => qr/DELETE is not allowed; this endpoint supports/;
logged 'a body that is too large' => [POST => $base, body => 'x' x 2000], detail => qr/client_max_body_size/;
logged 'a request refused by deny' => [GET => '/denied/Users'], detail => qr/nginx \(allow or deny\) forbids access/;
logged 'a request without a token' => [GET => $base, token => undef],
    tenant => '', token => '', detail => qr/no Authorization header/;
logged 'a request with an unknown token' => [POST => $base, token => 'secret-x', json => $bob],
    tenant => '', token => '', detail => qr/unknown here/;
my $gone = $t->token('acme', label => 'gone');
is +($t->scimctl(qw(token revoke --tenant acme gone)))[0], 0, 'scimctl token revoke exits with 0';
logged 'a request with a revoked token' => [GET => $base, token => $gone], tenant => 'acme', token => 'gone',
    detail => qr/^the token "gone" was revoked at \S+; create a new one/;
logged 'a request with scim_auth off' => [GET => '/off/Users'], operation => 'list', type => 'User', token => '';
logged 'a deviation that scim_profile rfc refuses' => [PUT => "/rfc/Users/$id", json => { %$bob, active => 'True' }],
    operation => 'replace', @of,
    error => 'invalidValue', detail => qr/"active" must be true or false/;

# A body that deviates from the RFC and is accepted
$c->request(PUT => "$base/$id", json => { %$bob, active => 'True', emails => { value => 'a', primary => 'True' }, shoeSize => 9 });
$line = line();
is $line->{status}, 200, 'PUT with a body that deviates from the RFC is answered with 200';
is join(',', sort split /,/, $line->{dialect}), 'single-value,string-boolean*2,unknown-attribute:shoeSize',
    '"dialect" names and counts the deviations';
unlike $line->{dialect}, qr/\b9\b|True/, '"dialect" has no values of attributes except names';
like $t->log, qr/\[info\].*accepted a request that deviates from RFC 7644: \Q$line->{dialect}\E/,
    'the error log names the same deviations at level info';

logged 'a DELETE' => [DELETE => "$base/$id"], operation => 'delete', @of;
like $t->log, qr/\[error\].*scim: create answered with 409 uniqueness \[uniqueness-conflict\]: userName "bob" is taken/,
    'a refused write is in the error log at level error';

# A client cannot forge a log line.
logged 'a path with a newline and a quote' => [GET => "$base/%0A%22%7D%E2%80%AE"],
    operation => 'get', type => 'User', id => "\n\"}\xe2\x80\xae",
    detail => qr/there is no User with the id "\?"\}\?"/;
is $t->request(GET => '/elsewhere')->{body}, '.', 'outside SCIM locations the variables are empty';
line();

# --- limit_req by token and by tenant

is join(' ', map $c->request(GET => '/by-label/Users', token => $_)->{status}, $token, $token, $other, $other, $token),
    '200 429 200 429 429', 'limit_req by $scim_token_label limits each label';
is join(' ', map $c->request(GET => '/by-tenant/Users', token => $_)->{status}, $token, $other, $foreign, $foreign),
    '200 429 200 429', 'limit_req by $scim_tenant limits each tenant';
is $c->request(GET => '/by-tenant/Users', token => 'stranger')->{status}, 401,
    'a request with an unknown token is refused with 401 and not limited with a tenant';

$t->finish;
