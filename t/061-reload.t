#!/usr/bin/perl
# A reload or a graceful shutdown loses no accepted write and no answer. Schemas and stores are added and removed by a
# reload; values of an attribute whose schema was removed are hidden, not deleted.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $main = 'scim_store main %%DIR%%/store; add_header X-Pid $pid always;';
my $server = 'location /scim/v2/ { scim main; client_body_in_file_only clean; }';
my $t = Scim->new(workers => 2, http => $main, server => $server);
my $token = $t->seed('acme');
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token);

sub get { return $t->request(GET => $_[0], token => $token) }
sub create { return map { my $c = $t->client(token => $token); $c->send(POST => $users, json => Scim::user($_)); $c } @_ }

# Checks that every acknowledged user ({ id, userName }, …) can be read and that there is no other.
my @created;
sub all_there {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $client = $t->client(token => $token);
    my @lost = grep { ($client->request(GET => "$users/$_->{id}")->{json}{userName} // '') ne $_->{userName} } @created;
    is "@{[map $_->{userName}, @lost]}", '', "$name: every acknowledged user can be read (" . @created . ')';
    is $client->request(GET => "$users?count=0")->{json}{totalResults}, @created, "$name: there are no other users";
}

# Checks that all clients are answered with 201.
sub all_created {
    my ($name, @clients) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @answers = map $_->receive, @clients;
    is join(' ', map $_->{status}, @answers), join(' ', (201) x @clients), "$name: all waiting writes are answered with 201";
    push @created, map $_->{json}, @answers;
    $_->close for @clients;
}

# --- reloads and shutdowns while writes wait

my $lock = $t->hold_lock;
my @clients = create(map "reload$_", 1 .. 40);
ok $t->wait_for(sub { $t->bodies == 40 }), '40 writes wait for the write lock before the reload';
my @old = $t->workers;
ok $t->reload, 'a reload completes while 40 writes wait';
push @clients, create('after');
ok $t->wait_for(sub { $t->bodies == 41 }), 'a new worker accepts a write';
is scalar(grep !$t->_gone($_), @old), 2, 'the old workers do not exit while their writes wait';
$t->release($lock);
all_created 'reload', @clients;
ok $t->wait_for(sub { !grep !$t->_gone($_), @old }), 'the old workers exit after their writes';
all_there 'reload';

# Each request has a connection of its own: on a kept connection nginx may close it while a request is on its way.
my $writers = $t->launch(4, 4, sub {
    my ($i, $client) = @_;
    my (@mine, %status);
    for (my $n = 0; !-e "$t->{dir}/enough"; $n++) {
        my $r = $client->request(POST => $users, json => Scim::user("storm$i-$n"), close => 1);
        $status{ $r->{status} }++;
        push @mine, { id => $r->{json}{id}, userName => "storm$i-$n" } if $r->{status} == 201;
    }
    return { created => \@mine, status => \%status };
}, token => $token);
$t->reload(gone => 1) for 1 .. 8;
$t->write_file('enough', '');
my %status;
for my $result ($t->collect($writers)) {
    push @created, @{ $result->{created} };
    $status{$_} += $result->{status}{$_} for keys %{ $result->{status} };
}
is join(' ', sort keys %status), 201, "every request during 8 reloads is answered with 201 ($status{201})";
all_there '8 reloads';

$lock = $t->hold_lock;
@clients = create(map "quit$_", 1 .. 40);
ok $t->wait_for(sub { $t->bodies == 40 }), '40 writes wait for the write lock before the shutdown';
kill QUIT => $t->{pid};
ok $t->wait_log(qr/gracefully shutting down.*gracefully shutting down/s), 'nginx begins a graceful shutdown';
ok $t->wait_for(sub { !$t->workers }), 'no worker accepts requests during the shutdown';
$t->release($lock);
all_created 'quit', @clients;
ok $t->quit, 'nginx ends after its writes';
$t->start->served($users, token => $token);
all_there 'quit';

# --- schemas

my $urn = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
$t->write_file('acme.json', $Scim::json->encode({ id => $urn, attributes => [{ name => 'badge' }] }));
my $with = "$main scim_schema %%DIR%%/acme.json;";

# Reloads with another configuration while the write lock is held, so that neither worker can write the new declarations to
# the catalog. Until then reads use the old declarations, and a write waits.
sub reload_both {
    my ($name, $http, $published) = @_;
    $t->conf(undef, http => $http);
    my ($lock, @old) = ($t->hold_lock, $t->workers);
    my (%read, %served);
    $t->reload(gone => 1);
    my $schema = sub { $t->request(GET => "/scim/v2/Schemas/$urn", token => $token) };
    ok $t->wait_for(sub {
        my $r = $schema->();
        $read{ $r->{headers}{'x-pid'} }{ $r->{status} } = 1;
        return keys %read == 2;
    }), "$name: both workers serve reads";
    is_deeply [map { join ' ', sort keys %$_ } values %read], [($published ? 404 : 200) x 2],
        "$name: both workers use the old declarations until the new ones are written";
    my ($client) = create("while $name");
    ok $t->wait_for(sub { $t->bodies == 1 }), "$name: a write waits for the new declarations";
    $t->release($lock);
    all_created $name, $client;
    ok $t->wait_for(sub {
        my $r = $schema->();
        $served{ $r->{headers}{'x-pid'} } = 1 if $r->{status} == ($published ? 200 : 404);
        return keys %served == 2;
    }), "$name: both workers use the new declarations once they are written";
    is join(' ', sort keys %served), join(' ', sort keys %read), "$name: the workers have not been restarted";
}

reload_both 'a new schema', $with, 1;
is get("/scim/v2/Schemas/$urn")->{json}{attributes}[0]{name}, 'badge', 'a new schema is published';
my $body = { %{ Scim::user('ada') }, $urn => { badge => 'B-1' } };
push @{ $body->{schemas} }, $urn;
my $r = $t->request(POST => $users, token => $token, json => $body);
is_user $r, 201, 'POST of a user with an attribute of the new schema is answered with 201';
is_deeply $r->{json}{$urn}, { badge => 'B-1' }, 'the answer to POST has the attribute of the new schema';
push @created, $r->{json};
my $ada = "$users/$r->{json}{id}";

reload_both 'a removed schema', $main, 0;
is get("/scim/v2/Schemas/$urn")->{status}, 404, 'a removed schema is not published';
my $hidden = get($ada);
ok !exists $hidden->{json}{$urn}, 'values of a removed schema are not returned';
is_deeply $hidden->{json}{schemas}, [$Scim::Check::user_urn], '"schemas" does not list a removed schema';
is $t->request(PUT => $ada, token => $token, json => Scim::user('ada', title => 'Countess'))->{status}, 200,
    'PUT of a user with hidden values is answered with 200';

reload_both 'a schema added again', $with, 1;
is_deeply get($ada)->{json}{$urn}, { badge => 'B-1' }, 'hidden values are returned again after their schema is added again';
is get($ada)->{json}{title}, 'Countess', 'a change made while values were hidden is kept';
all_there 'schemas';

# --- a store

ok !-e "$t->{dir}/more", 'the directory of the second store does not exist';
$t->conf(undef, http => "$with scim_store more %%DIR%%/more;", server => "$server location /more/ { scim more; }");
ok $t->reload(gone => 1), 'a reload with a second store succeeds';
$t->served('/more/Users');
is sprintf('%04o', (stat "$t->{dir}/more")[2] & 07777), '0700', 'the directory of the second store is made with mode 0700';
my $other = do { local $t->{store} = "$t->{dir}/more"; $t->token($t->tenant('acme')) };
is_user $t->request(POST => '/more/Users', token => $other, json => Scim::user('ada')), 201,
    'POST to the second store is answered with 201';
is $t->request(GET => '/more/Users', token => $token)->{status}, 401,
    'a token of the first store is refused with 401 by the second one';
all_there 'another store';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no problem';
my @complaints = grep /\[(?:warn|error)\].*scim: (?!\w+ answered with)/, split /^/, $t->log;
is scalar(grep /\[error\].*this configuration hides stored values, .*: "\Q$urn\E:badge" of 1 User; they reappear when/, @complaints), 1,
    'the log says once which attribute of how many resources a reload has hidden';
is scalar(@complaints), 1, 'the error log has no other warning or error of the module';

# --- master_process off

ok $t->quit, 'nginx ends before the restart with master_process off';
$t->{workers} = 1;
$t->conf(undef, main => 'master_process off;', http => $main, server => $server);
$t->{workers} = 0;
$t->start->served($users, token => $token);
all_there 'master_process off';
all_created 'master_process off', create(map "single$_", 1 .. 5);
all_there 'master_process off';
$lock = $t->hold_lock;
my ($waiting) = create('unanswered');
ok $t->wait_for(sub { $t->bodies == 1 }), 'with master_process off a write waits for the write lock';
kill QUIT => $t->{pid};
$t->release($lock);
ok $t->quit, 'with master_process off nginx ends gracefully';
push @created, $_->{json} for grep $_->{status} == 201, $waiting->receive;

$t->finish;
